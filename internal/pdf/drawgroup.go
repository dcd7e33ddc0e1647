package pdf

import "slices"

// groupSpaces are the colour spaces that a group may be in (ISO 32000-2, 11.6.6), and those that have parameters.
var (
	groupSpaces = []string{"DeviceGray", "DeviceRGB", "DeviceCMYK"}
	groupArrays = []string{"CalGray", "CalRGB", "ICCBased"}
)

// oddGroup tells whether a form is a group of an unusual form: Ghostscript leaves out one whose colours or flags it does not take, and
// pdf.js one that is no dictionary (ADE-04).
func (d *Document) oddGroup(v value) (bool, error) {
	group, err := d.resolve(v)
	if err != nil || group.isNull() {
		return false, err
	}
	if !group.isDict() {
		return d.because("a group that is none"), nil
	}
	keys, err := group.values("CS", "I", "K")
	if err != nil {
		return true, err
	}
	for i := range keys {
		if keys[i], err = d.resolve(keys[i]); err != nil {
			return true, err
		}
	}
	sound, err := d.groupSpace(keys[0])
	for _, flag := range keys[1:] {
		sound = sound && (flag.isNull() || string(flag.raw) == "true" || string(flag.raw) == "false")
	}
	return err != nil || !sound && d.because("a group of an unusual form"), err
}

func (d *Document) groupSpace(space value) (bool, error) {
	if !space.isArray() {
		return space.isNull() || slices.Contains(groupSpaces, space.name()), nil
	}
	if err := d.spend(int64(len(space.raw))); err != nil {
		return false, err
	}
	list, err := d.elements(space)
	if err != nil || len(list) == 0 {
		return false, err
	}
	if len(list) == 1 {
		return slices.Contains(groupSpaces, list[0].name()), nil
	}
	return slices.Contains(groupArrays, list[0].name()) && list[1].isDict() && (!list[0].nameIs("ICCBased") || hasKey(list[1], "N")), nil
}

func hasKey(dict value, key string) bool {
	at, _, err := dict.find(key)
	return err == nil && at > 0
}
