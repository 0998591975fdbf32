package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/billnet/billnet/frontend/onnx/onnxpb"
)

const (
	// maxDepth bounds how deep messages nest. A graph inside an attribute of a
	// node of a graph takes three levels, so this allows some twenty nested
	// control-flow bodies.
	maxDepth = 64
	// maxMessages bounds the number of messages in one model. Each costs a few
	// hundred bytes once decoded and as little as two in the file.
	maxMessages = 1 << 20
)

// skeleton walks the wire format of a model of size bytes and returns it without
// what the compiler does not read, and with raw_data replaced by a rawRef to where
// it lies, so that decoding a model takes no copy of its weights. It works without
// recursion, and refuses what would make decoding expensive: nesting deeper than
// maxDepth, more than maxMessages messages, lengths that run past the end of the
// enclosing message, and the long-dead group encoding.
func skeleton(r io.ReaderAt, size int) ([]byte, error) {
	type level struct {
		end int // offset at which the message ends
		msg protoreflect.MessageDescriptor
		at  int // of its length in out
	}
	stack := make([]level, 1, maxDepth)
	stack[0] = level{end: size, msg: (*onnxpb.Model)(nil).ProtoReflect().Descriptor()}
	raw := (*onnxpb.Tensor)(nil).ProtoReflect().Descriptor().Fields().ByName("raw_data")
	in := &window{r: r}
	var out []byte
	messages, pos := 0, 0
	for {
		top := stack[len(stack)-1]
		if pos == top.end {
			if len(stack) == 1 {
				return out, in.err
			}
			putLength(out[top.at:])
			stack = stack[:len(stack)-1]
			continue
		}
		head := in.bytes(pos, min(maxHead, top.end-pos))
		if in.err != nil {
			return nil, in.err
		}
		num, typ, n := protowire.ConsumeTag(head)
		if n < 0 {
			return nil, wireError(pos, top.msg, n)
		}
		start := pos
		pos += n
		if typ == protowire.StartGroupType || typ == protowire.EndGroupType {
			return nil, fmt.Errorf("byte %d, in a %s: protobuf groups are not part of ONNX", pos, top.msg.Name())
		}
		field := top.msg.Fields().ByNumber(num)
		if typ != protowire.BytesType {
			n := protowire.ConsumeFieldValue(num, typ, head[n:])
			if n < 0 {
				return nil, wireError(pos, top.msg, n)
			}
			if pos += n; field != nil {
				out = append(out, head[:pos-start]...)
			}
			continue
		}
		size, k := protowire.ConsumeVarint(head[n:])
		if k < 0 {
			return nil, wireError(pos, top.msg, k)
		}
		pos += k
		message := field != nil && field.Message() != nil
		if size > uint64(top.end-pos) {
			if message {
				return nil, fmt.Errorf("byte %d: a %s of %d bytes in a %s with %d bytes left; is the file complete?", pos, field.Message().Name(), size, top.msg.Name(), top.end-pos)
			}
			return nil, cutOff(pos, top.msg)
		}
		switch {
		case field == nil:
			pos += int(size)
		case field == raw:
			out = append(out, head[:n]...)
			out = protowire.AppendBytes(out, rawRef{pos, int(size)}.encode())
			pos += int(size)
		case !message:
			out = append(out, head[:n+k]...)
			out = in.append(out, pos, int(size))
			pos += int(size)
		default:
			if messages++; messages > maxMessages {
				return nil, fmt.Errorf("more than %d nodes, tensors and other records", maxMessages)
			}
			if len(stack) == maxDepth {
				return nil, fmt.Errorf("byte %d: records nest deeper than %d levels", pos, maxDepth)
			}
			out = append(out, head[:n]...)
			stack = append(stack, level{pos + int(size), field.Message(), len(out)})
			out = append(out, make([]byte, lengthBytes)...)
		}
	}
}

// lengthBytes is what a message's length takes in a skeleton, written when the
// message ends. Leading zeros make every length as long.
const lengthBytes = 5

func putLength(message []byte) {
	n := len(message) - lengthBytes
	for i := range lengthBytes - 1 {
		message[i] = byte(n>>(7*i)) | 0x80
	}
	message[lengthBytes-1] = byte(n >> (7 * (lengthBytes - 1)))
}

// rawRef says where in the model's file the bytes of raw_data are.
type rawRef struct{ at, size int }

// encode is the form of a reference in a skeleton; nothing where there is nothing.
func (r rawRef) encode() []byte {
	if r.size == 0 {
		return nil
	}
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, uint64(r.at)), uint64(r.size))
}

// decodeRef is the inverse of encode.
func decodeRef(b []byte) rawRef {
	if len(b) == 0 {
		return rawRef{}
	}
	return rawRef{int(binary.LittleEndian.Uint64(b)), int(binary.LittleEndian.Uint64(b[8:]))}
}

// maxHead is enough for a field's tag with a number or a length.
const maxHead = 32

// window reads a file in pieces, from the beginning to the end.
type window struct {
	r   io.ReaderAt
	buf []byte
	at  int   // of buf in the file
	err error // the first of reading
}

const windowBytes = 1 << 16

// bytes is n bytes from pos on, at most maxHead; they are there until the next call.
func (w *window) bytes(pos, n int) []byte {
	if pos < w.at || pos+n > w.at+len(w.buf) {
		w.buf = w.buf[:cap(w.buf)]
		if w.buf == nil {
			w.buf = make([]byte, windowBytes)
		}
		got, err := w.r.ReadAt(w.buf, int64(pos))
		if w.at, w.buf = pos, w.buf[:got]; got < n {
			w.fail(err)
			return nil
		}
	}
	return w.buf[pos-w.at:][:n]
}

// append appends n bytes from pos on to out.
func (w *window) append(out []byte, pos, n int) []byte {
	if pos >= w.at && pos+n <= w.at+len(w.buf) {
		return append(out, w.buf[pos-w.at:][:n]...)
	}
	out = append(out, make([]byte, n)...)
	if got, err := w.r.ReadAt(out[len(out)-n:], int64(pos)); got < n {
		w.fail(err)
	}
	return out
}

func (w *window) fail(err error) {
	if w.err == nil {
		w.err = fmt.Errorf("the file cannot be read: %w", err)
	}
}

func wireError(pos int, msg protoreflect.MessageDescriptor, code int) error {
	if errors.Is(protowire.ParseError(code), io.ErrUnexpectedEOF) {
		return cutOff(pos, msg)
	}
	return fmt.Errorf("byte %d, in a %s: not protobuf data", pos, msg.Name())
}

func cutOff(pos int, msg protoreflect.MessageDescriptor) error {
	return fmt.Errorf("byte %d, in a %s: the data ends in the middle of a field", pos, msg.Name())
}
