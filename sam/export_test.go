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
