package billb

// Band is the parameters of what moves bands of a map [1,C,T,H,W] in a region, of
// which Frames and Rows are T and H. In run k of its stage, at band j, the band
// begins at frame First[0] + k*Step[0] and row First[1] + j*Step[1] of the map.
//
// A buffer of a map has all of it, or keeps some rows. Where it has one frame, all rows of
// the map lie one after the other, row h of frame t at t*Rows + h modulo the number of its
// rows; where it has several, at frame t modulo their number and row h modulo that of its
// rows.
type Band struct {
	Frames int    `min:"1"`
	Rows   int    `min:"1"`
	First  [2]int // of frames and of rows
	Step   [2]int `min:"0"`
}

// Keeps reports that the operation's result keeps something from band to band of a region.
func (op Opcode) Keeps() bool { return op == OpBandStore || op == OpBandShift }

// CanKeep reports whether a buffer of so many frames and rows can keep rows of a map.
func CanKeep(mapFrames, mapRows, frames, rows int) bool {
	if frames == 1 {
		return rows <= mapFrames*mapRows
	}
	return frames <= mapFrames && rows <= mapRows
}

var (
	// y is the band of the map in x, 0 outside the map. x and y are both dense, or both planes that are
	// not split into phases, with equal channels and columns.
	_ = register(&Op{
		Code: OpBandLoad,
		Name: "band_load",
		In:   "x", Out: "y",
		Params: (*Band)(nil),
	})
	// x becomes the band of the map in y; what lies outside the map is left out.
	// x and y as band_load's.
	_ = register(&Op{
		Code: OpBandStore,
		Name: "band_store",
		In:   "x", Out: "y",
		Params: (*Band)(nil),
	})
	// The rows of y move up by as many as x has, which follow them: y keeps the last rows of what x is from
	// band to band. Both are planes that are not split, with equal channels, frames and columns.
	_ = register(&Op{
		Code: OpBandShift,
		Name: "band_shift",
		In:   "x", Out: "y",
	})
	// y is the band x of a map, with 0 where it lies outside the map. Both are planes of one geometry.
	_ = register(&Op{
		Code: OpBandClip,
		Name: "band_clip",
		In:   "x", Out: "y", InPlace: true,
		Params: (*Band)(nil),
	})
)
