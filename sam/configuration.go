package sam

// Configuration is a configuration that was accepted: the history of how strict
// the module was (PRV-03). It never changes.
type Configuration struct {
	Stamp
	Number   int64 // of the audit record
	Digest   string
	Document []byte // canonical JSON: setting and value
	Accepted int64
	First    string // officers who accepted it; "" at the first start, and where nobody is asked
	Second   string
}

func (*Configuration) kind() string   { return "configuration" }
func (*Configuration) object() string { return "" }
func (r *Configuration) columns(e *encoder) {
	e.int(r.Number)
	e.str(r.Digest)
	e.bytes(r.Document)
	e.int(r.Accepted)
	e.str(r.First)
	e.str(r.Second)
}
