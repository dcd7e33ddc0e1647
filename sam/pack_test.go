package sam

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// What is stored of an answer gives the JSON of the wire, with every string as
// it was composed: a retry gets the very octets of the first answer.
func TestPackedAnswerIsTheJSONOfTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		octets := rapid.SliceOfN(rapid.Byte(), 0, 400)
		sigs := rapid.SliceOfN(octets, 1, 4).Draw(t, "signatures")
		path := rapid.SliceOfN(octets, 1, 4).Draw(t, "path")
		root := octets.Draw(t, "signature")
		text := rapid.StringMatching(`[a-z{}"]{0,40}`).Draw(t, "receipt")
		inner := newPacker(nil)
		inner.lit(text)
		raw := octets.Draw(t, "sad")
		inner.octets(packURL, raw)
		brought := given{octets.Draw(t, "brought"), append([]byte{}, octets.Draw(t, "brought with it")...)}
		inner.given(givenProof)
		got, err := unpack(nil, packAnswer(nil, sigs, inner.done(), path, 3, 9, root, "key-id"), brought)
		if err != nil {
			t.Fatal(err)
		}
		var out struct {
			Signatures [][]byte `json:"signatures"`
			Receipt    struct {
				Receipt   string   `json:"receipt"`
				Path      []string `json:"path"`
				Index     int      `json:"index"`
				Size      int      `json:"size"`
				Signature string   `json:"signature"`
				Key       string   `json:"key"`
			} `json:"receipt"`
		}
		dec := json.NewDecoder(bytes.NewReader(got))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&out); err != nil {
			t.Fatalf("%v: %s", err, got)
		}
		again, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		if string(again) != string(got) {
			t.Errorf("got  %s\nwant %s", got, again)
		}
		want := base64.RawURLEncoding.EncodeToString([]byte(text + base64.RawURLEncoding.EncodeToString(raw) + base64.RawURLEncoding.EncodeToString(brought[givenProof])))
		if out.Receipt.Receipt != want || out.Receipt.Index != 3 || out.Receipt.Size != 9 || out.Receipt.Key != "key-id" ||
			out.Receipt.Signature != base64.RawURLEncoding.EncodeToString(root) || len(out.Signatures) != len(sigs) || len(out.Receipt.Path) != len(path) {
			t.Errorf("%+v", out)
		}
	})
}

// Rows that were written before answers were packed are answered as they are,
// and what no packer wrote is an error, not an answer.
func TestStoredAnswers(t *testing.T) {
	old := []byte(`{"signatures":[]}`)
	if got, err := storedAnswer(&Activation{Answer: old}, given{}); err != nil || !bytes.Equal(got, old) {
		t.Errorf("answer of before: %q, %v", got, err)
	}
	for name, b := range map[string][]byte{
		"cut head":    {'T', 0, 0},
		"cut segment": {'T', 0, 0, 2, 'x'},
		"unknown":     {'X', 0, 0, 0},
		"too deep":    {'N', 0, 0, 9, 'N', 0, 0, 5, 'T', 0, 0, 1, 'x'},
		"cut inside":  {'N', 0, 0, 1, 'T'},
		"not brought": {'G', 0, 0, 1, givenProof},
		"brought not": {'G', 0, 0, 1, 2},
		"which":       {'G', 0, 0, 0},
		"twice":       {'G', 0, 0, 1, givenSAD, 'G', 0, 0, 1, givenSAD},
		"twice deep":  {'G', 0, 0, 1, givenSAD, 'N', 0, 0, 5, 'G', 0, 0, 1, givenSAD},
	} {
		if got, err := storedAnswer(&Activation{Answer: b}, given{givenSAD: []byte("{}")}); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// What is longer than a segment can say is refused, not cut.
func TestPackedTextHasNoTooLongSegment(t *testing.T) {
	p := newPacker(nil)
	p.octets(packURL, make([]byte, maxPack+1))
	if out, err := unpack(nil, p.done(), given{}); err == nil {
		t.Errorf("%d octets", len(out))
	}
}

// I9: a broken packed text is an error within bounds, whatever it holds.
func FuzzUnpack(f *testing.F) {
	f.Add(packAnswer(nil, [][]byte{{1, 2}}, newPacker(nil).done(), [][]byte{{3}}, 0, 1, []byte{4}, "k"))
	f.Add([]byte{'N', 0, 0, 5, 'T', 0, 0, 1, 'x'})
	f.Add([]byte{'N', 0, 0, 10, 'G', 0, 0, 1, givenProof, 'G', 0, 0, 1, givenSAD})
	brought := given{[]byte(`{"sad":"octets"}`), bytes.Repeat([]byte("proof"), 50)}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := unpack(nil, b, brought)
		if err == nil && len(got) > 2*(len(b)+len(brought[0])+len(brought[1])) {
			t.Errorf("%d octets became %d", len(b), len(got))
		}
	})
}
