package sam

// Judged is the number of assertions that were verified.
func (m *Module) Judged() uint64 { return m.judged.Load() }
