package xades

import (
	"fmt"
	"mime"
	"slices"
	"strings"

	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
)

// textTypes are the types of what the signer's app shows as text. Besides: all that end in +xml or +json, but drawn.
var (
	textTypes = []string{"text/plain", "text/csv", "text/xml", "application/xml", "application/json"}
	drawn     = []string{"application/xhtml+xml", "image/svg+xml"}
)

// typed holds the type that is signed of the data against what the signer sees (ADE-04): whoever gets the file opens it by that
// type, and what was shown as the pages of a PDF can be a page of HTML too, and text in another character set another text.
// Only the policy for qualified signatures refuses it: under others a type may be one of an application that nobody here knows.
func typed(policy, signed string, kind content) error {
	if policy != sap.PolicyQualified {
		return nil
	}
	t, params, err := mime.ParseMediaType(signed)
	fits := isTextType(t) && inUTF8(params)
	if kind == contentPDF {
		fits = t == string(contentPDF) && len(params) == 0
	}
	if err != nil || !fits {
		return fmt.Errorf("%w: %w: mime_type: the file would be signed as %q, and it is shown as %s; want application/pdf of a PDF, and of text one of %s, in UTF-8",
			workers.ErrInput, workers.ErrHazard, signed, kind, strings.Join(textTypes, ", "))
	}
	return nil
}

func isTextType(t string) bool {
	return slices.Contains(textTypes, t) || (strings.HasSuffix(t, "+xml") || strings.HasSuffix(t, "+json")) && !slices.Contains(drawn, t)
}

func inUTF8(params map[string]string) bool {
	charset, ok := params["charset"]
	return len(params) == 0 || len(params) == 1 && ok && strings.EqualFold(charset, "utf-8")
}
