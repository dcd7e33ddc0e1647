package workers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Names and values of properties that operators know from SignServer, and ours for them. Upper case is read as lower case.
var (
	knownNames = map[string]string{
		"contact_info": "contact", "signer_name": "name", "certification_permission": "certification_level",
		"tsa_url": "tsa", "tsa_worker": "tsa", "xadesform": "level",
	}
	knownValues = map[string]map[string]string{
		"certification_level": {
			"NOT_CERTIFIED": "not_certified", "NO_CHANGES_ALLOWED": "no_changes_allowed", "FORM_FILLING": "form_filling_allowed", "FORM_FILLING_AND_ANNOTATIONS": "form_filling_and_annotations_allowed",
			"NO_CHANGE_PERMITTED": "no_changes_allowed", "MINIMAL_CHANGES_PERMITTED": "form_filling_allowed", "CHANGES_PERMITTED": "form_filling_and_annotations_allowed",
		},
		"signature_packaging":   {"INTERNALLY-DETACHED": "INTERNALLY_DETACHED"},
		"commitment_types":      {"NONE": ""},
		"level":                 {"BES": "B-B", "T": "B-T"},
		"add_visible_signature": {"TRUE": "true", "True": "true", "FALSE": "false", "False": "false"},
		"parallel":              {"TRUE": "true", "True": "true", "FALSE": "false", "False": "false"},
	}
)

// ourNames gives properties under our names. Two of them that mean one are an error.
func ourNames(properties map[string]string) (map[string]string, error) {
	if len(properties) == 0 {
		return properties, nil
	}
	out, written := make(map[string]string, len(properties)), map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		key, v := strings.ToLower(name), properties[name]
		if key == "tsa_worker" && v != "" {
			v = workerPrefix + v
		}
		if ours, ok := knownNames[key]; ok {
			key = ours
		}
		if ours, ok := knownValues[key][v]; ok {
			v = ours
		}
		if other, ok := written[key]; ok {
			return nil, fmt.Errorf("%w: the properties %q and %q say the same; leave one out", ErrConfig, other, name)
		}
		out[key], written[key] = v, name
	}
	return out, nil
}

// withOurNames gives configurations with properties under our names. One whose properties say a thing twice stays as it is, with the error.
func withOurNames(cfgs []Config) ([]Config, []error) {
	out := slices.Clone(cfgs)
	var errs []error
	for i := range out {
		p, err := ourNames(out[i].Properties)
		if err != nil {
			errs = append(errs, fmt.Errorf("worker %q: %w", out[i].Name, err))
			continue
		}
		out[i].Properties = p
	}
	return out, errs
}
