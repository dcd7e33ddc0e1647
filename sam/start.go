package sam

import (
	"context"
	"fmt"

	"github.com/assent-sign/assent/internal/audit"
)

// begin brings the state up, or says why not. What needs nothing but the
// processor is tested first, what needs the state as soon as there is one.
func (m *Module) begin(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return m.testsAtStart(ctx, true) },
		m.openToken, m.openState, m.openRelease, m.openAlarms, m.openCondition, m.openConfiguration, m.openCeremony, m.takeUp, m.recordStart, m.openTime, m.writeAnchor,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// takeUp goes on where the last run ended. A database that is not accepted yet is
// left as it is; what is left out is made up for by afterRestore.
func (m *Module) takeUp(ctx context.Context) error {
	if m.restoring != nil {
		return nil
	}
	return m.steps(ctx, m.reconcile, m.noteMetadata, m.endOrphans, m.followLedger,
		func(ctx context.Context) error { return m.testsAtStart(ctx, false) }, m.finishRotation, m.finishReplacement)
}

func (m *Module) steps(ctx context.Context, list ...func(context.Context) error) error {
	for _, step := range list {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// recordStart records what a start finds and that it happened: a run before that
// ended without its stop record, a changed configuration, the self-tests (AUD-02).
func (m *Module) recordStart(ctx context.Context) error {
	cond := *m.condition()
	err := m.update(ctx, self(), func(w *work) error {
		if m.unclean {
			if _, err := w.log(EventUnclean, audit.Error, "", audit.Data{}); err != nil {
				return err
			}
		}
		_, digest, err := m.document()
		if err != nil {
			return err
		}
		if digest != cond.Config && m.keep {
			m.logger.Warn("samd: a changed configuration is accepted without asking anybody", "automatic", m.cfg.Automatic, "before the ceremony", m.before)
			if err := w.keepConfiguration(&cond, EventConfig, [2]string{}, "nobody was asked"); err != nil {
				return err
			}
			if err := w.Condition.Update(&cond); err != nil {
				return err
			}
		}
		waiting := []string{}
		if now := m.waiting.Load(); now != nil {
			for _, x := range now.list {
				waiting = append(waiting, x.Kind)
			}
		}
		_, err = w.log(EventStart, audit.OK, "", m.releaseData(audit.Data{
			"version": m.cfg.Version, "aud": m.audience, "assurance": m.tokenLabel(), "config": digest, "waiting": waiting,
			"tests": len(m.lastTest.Load().Results), "closed": cond.Closed != "",
		}))
		return err
	})
	if err != nil {
		return fmt.Errorf("%w: audit: %w", ErrOpen, err)
	}
	m.cond.Store(&cond)
	return nil
}

// closedWhy tells why nothing is done: a failure, or something that two officers
// must accept first. "" when the module is open.
func (m *Module) closedWhy() string {
	why, w := m.failedWhy(), m.waiting.Load()
	switch {
	case w == nil:
		return why
	case why == "":
		return w.why
	}
	return why + "; " + w.why
}

// failedWhy tells what brought the module into its secure state.
func (m *Module) failedWhy() string {
	if p := m.closed.Load(); p != nil {
		return *p
	}
	return ""
}
