package testenv

import "strings"

// PageChange is a change of the file of internal/pdf/testdata/twofaced.json: in each of its first four objects, or in the one with the
// number, once.
type PageChange struct {
	Name, Old, New string
	Object         int
	Also           []PageChange
}

// Made is an object with the change.
func (c PageChange) Made(number int, body string) string {
	if c.Object == number || c.Object == 0 && number <= 4 {
		body = strings.Replace(body, c.Old, c.New, 1)
	}
	for _, also := range c.Also {
		body = also.Made(number, body)
	}
	return body
}
