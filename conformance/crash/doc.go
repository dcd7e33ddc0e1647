// Package crash holds the crash matrix: real processes, built so that they kill
// themselves at named points (internal/failpoint), restarted, asked again byte by
// byte, and judged by the independent auditor (conformance/auditor), which reads
// the token's log, the database, the audit chain and the clients' log. It has no
// code of its own.
//
// The short form runs every point once. The whole matrix, before, after and
// twice at each point, runs with ASSENT_SOAK=1 ("make soak"); ASSENT_SEED chooses
// the random part, and the file that ASSENT_SOAK_PROGRESS names lets an
// interrupted run go on where it stopped.
package crash
