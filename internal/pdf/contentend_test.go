package pdf

import "testing"

// ADE-04: an inline image ends where pdf.js ends it; each line was held against pdf.js 6.5.
func TestADE04AnImageEndsWherePdfJSEndsIt(t *testing.T) {
	for text, want := range map[string]int{
		"abc EI Q":               4,
		"abcEEI Q q EI Q":        11, // of "EEI" it sees none
		"abEIEI Q q EI Q":        11,
		"abc EI [1] 0 d Q EI Q":  17,
		"abc EI /P << >> EI Q":   16,
		"abc EI Qq":              4,
		"abc EI true g EI Q":     4,
		"abc EI 1 2 g x EI Q":    15,
		"abc EI fals g EI Q":     14,
		"abc EI 1 2 3 4 5 sc Q ": 4, // the colour has too many, but Q stands behind
		"abc EI ) q EI Q":        -1,
		"abc EI 1x q EI Q":       -1,
		"abc EI x EI":            -1,
		"abc EI":                 4,
		"abc EI ":                4,
		"abc EI -":               4,
		"abc EI\tQ":              -1,
		"abc EI \x01 Q":          4, // the last there is
		"abc EI \x00Q":           4,
	} {
		if at := searchedEI([]byte(text), 0); at != want {
			t.Errorf("%q: %d, want %d", text, at, want)
		}
	}
}

// ADE-04: where LZW data ends depends on a parameter, which is taken in one form only.
func TestADE04ParametersOfAnImageAreRead(t *testing.T) {
	for parms, want := range map[string]bool{
		"": true, "<< /Predictor 1 >>": true, "<< /EarlyChange 0 >>": true, "<</EarlyChange 1/K 1>>": true, "<< /EarlyChange  0 >>": false, "<< /EarlyChange 00 >>": false,
		"<< /Early#43hange 0 >>": false, "[ << /EarlyChange 0 >> ]": false, "<< %/EarlyChange 0 \n/EarlyChange 1 >>": false, "<< /X << /EarlyChange 0 >> >>": false,
	} {
		if got := (inlineImage{parms: []byte(parms)}).plainParms(); got != want {
			t.Errorf("%q: %v", parms, got)
		}
	}
}
