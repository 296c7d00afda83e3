// Package meter rewrites a module so that it pays for what it runs, asks the host
// before it runs on, and cannot nest calls without end. It needs nothing of the
// engine, and the rewritten module is an ordinary one.
//
// # What a guest pays
//
// The measure is the unit. The same module with the same input pays the same
// units on every run and every machine; how long a unit takes depends on both.
// An instruction costs:
//
//	block, loop, else, end, nop                    0
//	a call of a function                           4, and 1 for each parameter and result
//	call_indirect                                  6, and the same
//	br, br_if, br_table, return                    1, and 1 for each value that goes along
//	div and rem of integers, div and sqrt of floats 4
//	an instruction of vectors (v128)               2
//	memory.grow                                    32; if the memory can grow by that much,
//	                                               4,096 for each new page, 256 for each old one
//	memory.fill, memory.copy, memory.init          8, and 1 for every whole 16 bytes
//	table.fill, table.copy, table.init             8, and 1 for each entry
//	table.grow                                     8; if the table can grow by that much,
//	                                               1 for each entry, new or old
//	every other instruction                        1
//
// On top, a function that begins to run pays 1, and 1 for every 4 variables
// (parameters not counted); and if, br, br_if, br_table and return cost 1 more for
// every 16 variables of the function (parameters counted), because the compiler
// may have to move them. What the host does for a guest in a call is the host's
// to charge.
//
// # When it pays
//
// Fuel is a global of the guest. Instructions that run together are paid for
// together, before the first of them, and sometimes before: see plan. A run that
// returns has paid exactly the sum of its instructions. A run that traps has paid
// for some that it did not reach, always the same ones.
//
// # When it asks
//
// The guest looks at its fuel at the start of each function (a function of at
// most 64 units without calls and loops excepted; one that begins with a loop
// does so there) and at each start of a loop, before each operation whose time
// depends on a length, and wherever more than [MaxUnchecked] units could have run
// without a look, or [MaxTail] since a call returned. If the fuel is below 0 it
// calls __slice, see [Rewrite]. So between two calls of __slice run at most the
// slice, [MaxUnchecked] units, [MaxTail] units for every frame on the stack,
// and one operation on a range, which has been paid for before it begins. A fill or a
// copy of much memory is done in strides of 256 KiB, and the host is called between
// them, so that it can look at the time and the server can stop the world.
//
// # Depth
//
// A frame weighs 1 unit of depth, and 1 more for every 64 words of its variables
// and operands (a vector has two words). Weighed are the frames of functions that
// lie on a cycle of calls, where call_indirect may lead to every function that is
// exported, lies in an element segment or is named by ref.func; and of functions
// where the frames that are not weighed could otherwise take more than a quarter
// of the depth. So the stack never holds more than the depth and a quarter.
//
// # What is refused
//
// A module that uses the names of what is added, one in which a single frame
// weighs more than the whole depth, and one that would become more than four
// times as large.
package meter
