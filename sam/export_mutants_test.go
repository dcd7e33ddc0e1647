package sam

// WaitingOutcomes is how many finished activations wait to be recorded.
func (m *Module) WaitingOutcomes() int { return len(m.outcomes.in) }
