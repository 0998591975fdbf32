// Package packed has the passes that lead to the packed level, which code generators
// read: how wide every integer map is and where every value lies.
package packed
