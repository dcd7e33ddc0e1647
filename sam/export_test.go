package sam

// Judged is the number of assertions that were verified.
func (m *Module) Judged() uint64 { return m.judged.Load() }

// SubjectNames is names for a subject in its text form.
func SubjectNames(subject, name string, production bool) error {
	der, err := parseName(subject)
	if err != nil {
		return err
	}
	return (&Module{cfg: Config{Production: production}}).names(der, &Signer{Name: name})
}

// Kept tells whether a one-time key is in the module's memory.
func (m *Module) Kept(key string) bool {
	_, ok := m.onceKeys.peek(key, m.clock.Now())
	return ok
}
