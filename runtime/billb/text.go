package billb

import "fmt"

// Text prints an instruction: results, opcode, operands, parameters.
func (img *Image) Text(in *Instr) string {
	var s []byte
	operand := func(id int) {
		switch {
		case id == -1:
			s = append(s, '_')
		case id < 0:
			c := img.Consts[-2-id]
			s = fmt.Appendf(s, "#%d %s%s", -2-id, c.Elem, ShapeString(c.Shape))
		default:
			s = fmt.Appendf(s, "@%d %s", id, img.Buffers[id])
		}
	}
	list := func(ids []int, shift int) {
		for i, id := range ids {
			if i > 0 {
				s = append(s, ", "...)
			}
			if shift != 0 && id != -1 {
				id = shift - id
			}
			operand(id)
		}
	}
	list(in.Out, 0)
	s = fmt.Appendf(s, " = %s ", in.Op)
	list(in.In, 0)
	if len(in.Const) > 0 {
		s = append(s, "; "...)
		list(in.Const, -2)
	}
	if p := paramsText(in.Params); p != "" {
		s = fmt.Appendf(s, " {%s}", p)
	}
	return string(s)
}
