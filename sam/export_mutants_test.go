package sam

// WaitingOutcomes is how many finished activations wait to be recorded.
func (m *Module) WaitingOutcomes() int { return len(m.outcomes.in) }

// StopUse closes the module in memory, as a failure inside a transaction does.
func (m *Module) StopUse(why string) { m.stopUse(why) }

// EnrolmentID draws the id of an enrolment.
func (m *Module) EnrolmentID() (string, error) { return m.enrolmentID() }

// List puts a key on the list of destroyed keys, in memory only.
func (m *Module) List(key string) {
	m.graves.mu.Lock()
	defer m.graves.mu.Unlock()
	m.graves.keys[key] = true
}
