// Package report says what a compilation did, from what passes recorded: the ledger,
// a row for every layer with why it is bits, integers or floats; certificates, which
// prove thresholds and can be checked again; the account of the layouts; and what
// each lossy pass did to each layer.
package report
