// Package billb is the .billb file format: the image of a program, its
// instructions and what they mean.
//
// Decode reads a file and checks its form, Image.Encode writes one. An Instr is an
// operation applied to operands; what it is told besides, such as strides, is a
// struct with names (Params), the same for whoever writes, reads, prints or
// compiles it on. Package runtime executes programs; who only runs models needs
// nothing from here.
//
// This comment specifies the file format and the machine that executes it.
//
// # The machine
//
// A program works in one block of memory, the arena. Buffers are places in it:
// an element type, a static shape and an offset, a multiple of 64. Buffers may
// overlap, because memory is used again when a value is no longer needed. An
// instruction applies an opcode to buffers and constants and writes buffers.
// Instructions run in order, each once; there are no jumps. A run copies the
// inputs into their buffers, executes all instructions and copies the outputs
// out of theirs.
//
// A dense buffer holds its elements in row-major order, each in its natural
// width: bool and bit take a byte of 0 or 1, sbit ({-1,+1}) and tern
// ({-1,0,+1}) a signed byte. A buffer of planes holds an activation of shape
// [1,C,T,H,W] as kernels.Geom describes: bits as byte planes of eight channels,
// integers as one plane a channel, both with zeros around rows and frames that
// serve as halo, and split into phases for strided convolutions.
//
// The operations, with their operands, parameters and equations, are listed by
// Ops. An operand may be left out where the list says so. An input operand may be a
// constant, which then has the form of a dense buffer; constants of the third
// operand list are read at load time only.
//
// # Regions
//
// Instructions of a region (see Region) run many times, band by band; those around
// them once. Their operands are buffers as everywhere, small ones that hold a band of
// a map: some frames and rows of it. band_load and band_store copy bands out of and
// into buffers that keep a map, or its last frames, from one run of a stage to the
// next. The machine fills those that a region stores to with zeros when the region
// begins. Of an input that a region is fed with, the frame that has arrived last is
// loaded from where the caller has it. Rows of earlier ones are kept likewise: they are
// copied in when the stages have run for which the frame was the last.
//
// Apart from such maps a stage reads only what it wrote in the same run, and what
// was there before the region: a sum is carried on in a buffer that an instruction
// before the region has written and an instruction of the region writes again.
//
// # Validation
//
// Decode checks the form of a file: sizes, references, and of every instruction
// how many operands it has and its parameters. Load of package runtime then checks
// kinds, shapes and constants as the operation wants them; that every buffer is
// read only between the instruction that writes it (or the start, for inputs)
// and the next write to memory that overlaps it; that outputs overlap neither
// one another nor inputs, but for elementwise opcodes, whose first output may
// lie where an input lies that has as many elements of the same width, or the same
// planes. A program that has
// passed can neither read nor write outside its arena and its scratch memory,
// whatever its inputs are; what depends on values, such as an index held in a
// buffer, is checked as it runs and ends the run with an error.
//
// A state is read before it is written: it holds zeros, or what the run before carried
// into it. Validation begins with all of them held, as inputs are, and ends with every
// value carried, one after the other: none may be lost by that, nor an output.
//
// Of a region it follows step by step which rows every map keeps: a stage may load
// only rows that have been stored and that no later row has taken the place of.
//
// # The file
//
// All fixed-width numbers are little endian. The header has 32 bytes:
//
//	 0  8 bytes  magic: 93 42 49 4c 4c 42 0d 0a
//	 8  uint32   format version: 4 where there are regions, else 2 where a constant
//	             has a form other than plain, else 1
//	12  uint32   CRC-32C of everything from byte 16 to the end
//	16  uint64   size of the file
//	24  uint32   number of sections, at most 64
//	28  uint32   0
//
// The section table follows, 24 bytes a section:
//
//	 0  uint32   id; bit 31 says that a reader that does not know it may ignore it
//	 4  uint32   0
//	 8  uint64   offset in the file
//	16  uint64   size
//
// Ids without bit 31 ascend. Sections lie in the order of the table, the first
// after the table, the last up to the end of the file, with less than 64 bytes
// between them, all zero. DATA begins at a multiple of 64 bytes, so that
// constants are aligned when the file is mapped into memory.
//
// In sections, uint is an unsigned LEB128 number in its shortest form, at most
// 2^31-1 where not said otherwise; int is a zigzag-coded signed number of 64
// bits in the same form; text is a uint length and UTF-8 bytes; list(x) is a
// uint count and that many x; elem is a byte: 1 f32, 2 f64, 3 u8, 4 i8, 5 u16,
// 6 i16, 7 u32, 8 i32, 9 u64, 10 i64, 11 bool, 12 bit, 13 sbit, 14 tern; shape
// is list(uint), at most 16 axes.
//
//	1 INTERFACE    text name; list(text key, text value) metadata;
//	               list(text) labels; list(port) inputs; list(port) outputs,
//	               with port = text name, elem, shape, uint buffer
//	2 BUFFERS      uint arena size / 64; list(buffer), with buffer = elem, shape,
//	               byte kind, for kind 1 uint halo t, h, w and uint phases t, h, w,
//	               uint offset / 64. Kind 0 is dense, 1 is planes.
//	3 CODE         list(instruction), with instruction = uint opcode,
//	               list(int) inputs: a buffer, -1 left out, -2-c constant c;
//	               list(uint) outputs: 0 left out, else buffer + 1;
//	               list(uint) constants: 0 left out, else constant + 1;
//	               list(int) integers; list(8 bytes, IEEE double) floats:
//	               the numbers of its Params
//	4 CONSTS       list(constant), with constant = elem, shape; in version 2
//	               elem, byte form, shape
//	5 DATA         the constants' elements in order, each constant at the next
//	               multiple of 64 from the section's start, zeros between. Bits
//	               are packed, element i in bit i%8 of byte i/8, set for 1 or +1;
//	               a tern has all its sign bits (set for +1), then all its nonzero
//	               bits, each in whole bytes; bits after the last element are 0.
//	               Other elements have their own width. A constant of f32 may have
//	               another form, and then is an input of instructions only: 1 halves,
//	               2 bfloat16, 3 a scale (f32) for every index of the first axis, then
//	               i8, each times its scale, 4 the same along the last axis.
//	6|2^31 CERTIFICATE  bytes that the compiler vouches with; the runtime does
//	               not look into them
//	7|2^31 DEBUG   list(text), a name for every instruction
//	8 REGIONS      of version 3 on: list(region), with region = uint first
//	               instruction, uint steps, uint pace, uint feed: 0 none, else input
//	               port + 1; list(stage), with stage = list of six uint: instructions,
//	               delay, every run, every band, count, bands. Version 3 has neither
//	               the pace, which is 1, nor the steps from band to band, which are 0.
//	9 STATES       list(state), with state = uint buffer from, uint buffer to. A file
//	               without states has no such section.
//
// The same Image always makes the same bytes.
//
// # Versions
//
// A later version of the runtime reads all earlier versions of the format.
// What can be added without a new version: opcodes (numbers are never reused,
// and an opcode never changes its meaning; a file with an unknown opcode is
// refused), and sections that may be ignored. A new version number is for
// changes of the layout itself: header, sections 1 to 5, their encoding; a runtime that
// does not know a section that may not be ignored asks for a newer one. The
// reader then keeps a decoder for each version, all of which make an Image.
package billb
