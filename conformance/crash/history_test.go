package crash

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// asked is one redemption as a caller sees it: which approval, and which exact
// request over it (the same octets have the same name).
type asked struct{ sad, request string }

// told is what the caller got.
type told struct {
	what   string // answer, refused, nothing
	answer string
}

// sessionState is all there is to know about one approval: who used it, and what
// everybody with the same request is told.
type sessionState struct {
	winner, answer string
	burnt          bool
}

// oneUse is the sequential specification of an approval (SAP-03, I2): at most one
// request gets an answer, always the same octets; everybody else is refused, and
// after a refusal to the only request nobody gets one any more. With faults, an
// approval may be burnt without an answer.
func oneUse(faults bool) porcupine.Model {
	return porcupine.Model{
		Partition: bySAD,
		Init:      func() any { return sessionState{} },
		Step: func(state, input, output any) (bool, any) {
			s, in, out := state.(sessionState), input.(asked), output.(told)
			unused := s.winner == "" && !s.burnt
			switch out.what {
			case "answer":
				return unused || s.winner == in.request && s.answer == out.answer, sessionState{winner: in.request, answer: out.answer}
			case "refused":
				if unused {
					return faults, sessionState{burnt: true}
				}
				return s.winner != in.request, s
			}
			return true, s // no answer says nothing: what it did shows later
		},
	}
}

func bySAD(history []porcupine.Operation) [][]porcupine.Operation {
	at := map[string]int{}
	var out [][]porcupine.Operation
	for _, op := range history {
		sad := op.Input.(asked).sad
		i, ok := at[sad]
		if !ok {
			i = len(out)
			at[sad] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], op)
	}
	return out
}

func linearizable(t *testing.T, faults bool, history []porcupine.Operation) {
	t.Helper()
	if got := porcupine.CheckOperationsTimeout(oneUse(faults), history, time.Minute); got != porcupine.Ok {
		t.Errorf("%d operations: %v: no order of the calls explains what was answered", len(history), got)
	}
}

// The checker finds what it is for.
func TestHistoryCheckerFindsViolations(t *testing.T) {
	op := func(call, ret int64, request, what, answer string) porcupine.Operation {
		return porcupine.Operation{Input: asked{"s", request}, Output: told{what, answer}, Call: call, Return: ret}
	}
	for name, c := range map[string]struct {
		history []porcupine.Operation
		faults  bool
		want    porcupine.CheckResult
	}{
		"same answer twice":          {[]porcupine.Operation{op(1, 2, "a", "answer", "x"), op(3, 4, "a", "answer", "x")}, false, porcupine.Ok},
		"others are refused":         {[]porcupine.Operation{op(1, 9, "a", "answer", "x"), op(2, 8, "b", "refused", "")}, false, porcupine.Ok},
		"two winners":                {[]porcupine.Operation{op(1, 9, "a", "answer", "x"), op(2, 8, "b", "answer", "y")}, false, porcupine.Illegal},
		"two answers":                {[]porcupine.Operation{op(1, 2, "a", "answer", "x"), op(3, 4, "a", "answer", "y")}, true, porcupine.Illegal},
		"acknowledged, then refused": {[]porcupine.Operation{op(1, 2, "a", "answer", "x"), op(3, 4, "a", "refused", "")}, true, porcupine.Illegal},
		"refused, then answered":     {[]porcupine.Operation{op(1, 2, "a", "refused", ""), op(3, 4, "a", "answer", "x")}, true, porcupine.Illegal},
		"refused before any use":     {[]porcupine.Operation{op(1, 2, "b", "refused", ""), op(3, 4, "a", "answer", "x")}, false, porcupine.Illegal},
		"burnt by a crash":           {[]porcupine.Operation{op(1, 2, "a", "nothing", ""), op(3, 4, "a", "refused", "")}, true, porcupine.Ok},
		"lost answer given again":    {[]porcupine.Operation{op(1, 2, "a", "nothing", ""), op(3, 4, "a", "answer", "x")}, true, porcupine.Ok},
	} {
		if got := porcupine.CheckOperations(oneUse(c.faults), c.history); got != (c.want == porcupine.Ok) {
			t.Errorf("%s: linearizable %v, want %v", name, got, c.want)
		}
	}
}

// history makes operations of a client's log.
func history(t *testing.T, path string) []porcupine.Operation {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	var out []porcupine.Operation
	open := map[string]event{}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		var e event
		must(t, json.Unmarshal([]byte(line), &e))
		switch ask := open[e.ID]; e.Ev {
		case "redeem":
			open[e.ID] = e
		case "answer", "lost":
			result := told{what: "nothing"}
			switch e.Status {
			case 200:
				result = told{"answer", string(e.Body)}
			case 422:
				result = told{what: "refused"}
			}
			out = append(out, porcupine.Operation{
				Input: asked{string(ask.SAD), string(ask.Proof)}, Output: result, Call: ask.Time, Return: max(e.Time, ask.Time+1),
			})
		}
	}
	return out
}
