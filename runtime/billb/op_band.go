package billb

// Band is the parameters of what moves bands of a map [1,C,T,H,W] in a region, of
// which Frames and Rows are T and H. In run k of its stage, at band j, the band
// begins at frame First[0] + k*Step[0] and row First[1] + j*Step[1] of the map.
//
// A buffer of a map has all of its rows, and all of its frames or as many as are
// kept: frame t lies where frame t modulo their number does.
type Band struct {
	Frames int    `min:"1"`
	Rows   int    `min:"1"`
	First  [2]int // of frames and of rows
	Step   [2]int `min:"0"`
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
	// x becomes the band of the map in y; what lies outside the map is left out. First is not negative.
	// x and y as band_load's.
	_ = register(&Op{
		Code: OpBandStore,
		Name: "band_store",
		In:   "x", Out: "y",
		Params: (*Band)(nil),
	})
	// y is the band x of a map, with 0 where it lies outside the map. Both are planes of one geometry.
	_ = register(&Op{
		Code: OpBandClip,
		Name: "band_clip",
		In:   "x", Out: "y", InPlace: true,
		Params: (*Band)(nil),
	})
)
