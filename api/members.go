package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/assent-sign/assent/api/strictjson"
)

// members is the body of a CSC call: an object whose members are read one by
// one, because each has its own error text in the specification. Unknown
// members are ignored (clause 7) and null is the same as absent: clients send
// both.
type members map[string]json.RawMessage

// decodeMembers reads an object. An empty body means no parameters, as some
// clients have it.
func decodeMembers(text []byte) (members, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return members{}, nil
	}
	var m members
	if err := strictjson.UnmarshalLax(text, &m); err != nil {
		return nil, err
	}
	if m == nil {
		return nil, say(errMalformed, "the body must be an object")
	}
	for k, v := range m {
		if string(v) == "null" {
			delete(m, k)
		}
	}
	return m, nil
}

// refuse makes an error with one of the specification's texts.
func refuse(text string) error { return say(errCSC, text) }

// str reads a string member; the empty one counts as absent.
func (m members) str(name string) (string, error) {
	raw, ok := m[name]
	if !ok {
		return "", nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", refuse("Missing (or invalid type) string parameter " + name)
	}
	return s, nil
}

// need is str for a member that must be there.
func (m members) need(name string) (string, error) {
	s, err := m.str(name)
	if err == nil && s == "" {
		err = refuse("Missing (or invalid type) string parameter " + name)
	}
	return s, err
}

// flag reads a boolean; "true" and "false" as strings are what some clients
// send.
func (m members) flag(name string) (bool, error) {
	switch string(m[name]) {
	case "", "false", `"false"`:
		return false, nil
	case "true", `"true"`:
		return true, nil
	}
	return false, refuse("Invalid parameter " + name)
}

// alias gives a member its v2 name when only the v1 name is there: pyHanko
// sends v1 names to a v2 path.
func (m members) alias(v2, v1 string) {
	if _, ok := m[v2]; !ok {
		if raw, ok := m[v1]; ok {
			m[v2] = raw
		}
	}
}

// hashList reads the digests of signHash (clause 11.10).
func (m members) hashList(most int) ([][]byte, error) {
	raw, ok := m["hashes"]
	var list []string
	if !ok || json.Unmarshal(raw, &list) != nil {
		return nil, refuse("Missing (or invalid type) array parameter hash")
	}
	if len(list) == 0 {
		return nil, refuse("Empty hash array")
	}
	if len(list) > most {
		return nil, refuse("Numbers of signatures is too high")
	}
	var out [][]byte
	for _, s := range list {
		b, err := lenientBase64(s)
		if err != nil || len(b) == 0 || len(b) > 64 {
			return nil, refuse("Invalid Base64 hash string parameter")
		}
		out = append(out, b)
	}
	return out, nil
}

// lenientBase64 takes both alphabets, padded or not; only the bytes count.
func lenientBase64(s string) ([]byte, error) {
	s = strings.NewReplacer("-", "+", "_", "/").Replace(s)
	return base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(s, "="))
}
