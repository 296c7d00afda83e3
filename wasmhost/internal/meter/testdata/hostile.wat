;; Guests that want to run without end or to take what they can.
(module
  (memory (export "memory") 1 1024)
  (table 4 funcref)
  (elem (i32.const 0) $chain)
  (global $n (mut i32) (i32.const 0))

  (func (export "forever") (loop $l (br $l)))

  (func (export "forever_if") (param $x i32)
    (loop $l (br_if $l (i32.eqz (i32.and (local.get $x) (i32.const 0)))) ))

  ;; 2^depth calls without a loop.
  (func $double (export "double") (param $depth i32)
    (if (i32.eqz (local.get $depth)) (then (return)))
    (call $double (i32.sub (local.get $depth) (i32.const 1)))
    (call $double (i32.sub (local.get $depth) (i32.const 1))))

  (func $deep (export "deep") (param $x i64) (result i64)
    (i64.add (call $deep (i64.add (local.get $x) (i64.const 1))) (local.get $x)))

  ;; Deep through the table.
  (func $chain (export "indirect") (call_indirect (i32.const 0)))

  (func (export "fill_loop")
    (loop $l
      (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536))
      (br $l)))

  (func (export "fill") (param $n i32)
    (memory.fill (i32.const 0) (i32.const 1) (local.get $n)))

  (func (export "grow") (result i32)
    (loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
    (memory.size))

  ;; Asks for more than there can be: cheap, and goes on.
  (func (export "grow_far") (result i32) (memory.grow (i32.const 60000)))

  ;; A table of jumps that leads round in circles.
  (func (export "maze") (param $x i32)
    (loop $l
      (block $a (block $b (block $c (block $d
        (local.set $x (i32.add (i32.mul (local.get $x) (i32.const 1664525)) (i32.const 1013904223)))
        (br_table $a $b $c $d $l (i32.shr_u (local.get $x) (i32.const 29))))
        (br $l))
        (br $l))
        (br $l))
      (br $l)))

  ;; Calls of a function that is too small to look at the fuel.
  (func $small (param $x i32) (result i32) (i32.add (local.get $x) (i32.const 1)))
  (func (export "smalls") (param $x i32)
    (loop $l (br_if $l (call $small (call $small (call $small (i32.const 0))))) (br $l)))
)
