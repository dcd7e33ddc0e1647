package pdf

// Limits bounds what one Document may cost. A zero field takes the default.
type Limits struct {
	// MaxObjects bounds the memory of the cross-reference: 16 bytes an object.
	MaxObjects int
	// MaxDepth bounds nested arrays and dictionaries and the depth of the page
	// and field trees.
	MaxDepth int
	// MaxXrefSections bounds the /Prev chain.
	MaxXrefSections int
	// MaxPages bounds the pages visited.
	MaxPages int
	// MaxFields bounds the form fields visited.
	MaxFields int
	// MaxObjectBytes bounds one object without its stream data.
	MaxObjectBytes int64
	// MaxInflate bounds one inflated object stream, and all kept at a time.
	MaxInflate int64
	// MaxWork bounds the bytes read, scanned and inflated for one Document,
	// copying and hashing aside. It is what bounds time.
	MaxWork int64
}

// DefaultLimits fit ordinary documents up to some gigabytes. The largest share
// of memory is 16 bytes for each object: 16 MiB at MaxObjects.
func DefaultLimits() Limits {
	return Limits{
		MaxObjects:      1 << 20,
		MaxDepth:        200,
		MaxXrefSections: 2048,
		MaxPages:        200_000,
		MaxFields:       100_000,
		MaxObjectBytes:  8 << 20,
		MaxInflate:      8 << 20,
		MaxWork:         512 << 20,
	}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	setInt := func(p *int, def int) {
		if *p <= 0 {
			*p = def
		}
	}
	setInt64 := func(p *int64, def int64) {
		if *p <= 0 {
			*p = def
		}
	}
	setInt(&l.MaxObjects, d.MaxObjects)
	setInt(&l.MaxDepth, d.MaxDepth)
	setInt(&l.MaxXrefSections, d.MaxXrefSections)
	setInt(&l.MaxPages, d.MaxPages)
	setInt(&l.MaxFields, d.MaxFields)
	setInt64(&l.MaxObjectBytes, d.MaxObjectBytes)
	setInt64(&l.MaxInflate, d.MaxInflate)
	setInt64(&l.MaxWork, d.MaxWork)
	return l
}

// maxObjectNumber is the largest object number that readers accept (ISO 32000-1,
// annex C).
const maxObjectNumber = 8_388_607
