// Package failpoint kills the process at named points, for crash tests. In every
// binary that is delivered its functions are empty and vanish, names included:
// they do something only with the build tag failpoint.
//
// A step that the crash matrix knows stands between two calls:
//
//	failpoint.Before("samd/26-consume-committed")
//	err := commit()
//	failpoint.After("samd/26-consume-committed")
//
// A place without a step in between is one call of Hit, which is both. The
// literal table Points names every point; a test compares it with the calls in
// the source. To add a point: put the calls into the code, one line each, and a
// line into the table; the crash matrix (conformance/crash) then runs it before,
// after and twice without further work, if Workload says what reaches it.
//
// With the tag, the environment says where to die:
//
//	ASSENT_FAILPOINT=name=before|after|twice[:n]
//
// The process sends itself SIGKILL at the n-th such hit (1 when absent). Mode
// twice dies at the first hit before the step; started again with the same
// environment, at the first hit after it; and from the third start on it lives.
// It counts its deaths in the file that ASSENT_FAILPOINT_LIVES names.
package failpoint
