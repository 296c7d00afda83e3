// Package policy is the vocabulary of decisions: who asks, what is asked, what
// is given and what has happened.
//
// A policy takes part in any of the stages that [Hooks] lists. The enforcement
// point (RFC 2753 §2: the PEP) is the server-PI; the decision point (the PDP) is
// the ordered chain of policies that the server was given. Everything that
// crosses between the two is a value of this package, and nothing here knows
// whether a policy is linked natively or runs in a sandbox: both are ordinary
// [Policy] values, are asked the same questions and are believed to the same
// extent.
//
// # The fold
//
// Policies are asked in their configured order and their answers are folded by
// one fixed rule:
//
//   - the first [Deny] or [Hide] ends the question;
//   - permissions, rates, size limits and lifetimes only ever narrow;
//   - only the auth stage grants: a login on which every policy passes is
//     refused;
//   - on every other stage [Pass] and [Allow] leave the session's own
//     permissions in charge;
//   - a [Rewrite] replaces the path that later policies, and then the
//     filesystem, are shown;
//   - a policy that fails (an error, a trap, a missed deadline) refuses the
//     question; a failing observer only loses its event, and the loss is counted.
//
// Package policytest holds the conformance function that every policy passes.
//
// The package imports only what also compiles to a sandboxed guest, so the same
// policy source can be linked into the server or built as a module.
package policy
