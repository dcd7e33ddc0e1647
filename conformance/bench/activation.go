package main

import "context"

func benchActivation(context.Context, config) error { return nil }
func benchApproval(context.Context, config) error   { return nil }
