;; What the benchmarks call.
(module
  (memory (export "memory") 2)

  (func (export "empty") (param i32) (result i64) (i64.const 0))

  ;; n rounds of xorshift, as a loop with its condition at the end.
  (func (export "xorshift") (param $n i32) (result i64)
    (local $x i64)
    (local.set $x (i64.const 88172645463325252))
    (loop $l
      (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 13))))
      (local.set $x (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 7))))
      (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 17))))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $x))

  ;; The sum of n bytes, one at a time, with the condition first.
  (func (export "sum") (param $n i32) (result i64)
    (local $i i32) (local $s i64)
    (block $done
      (loop $l
        (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
        (local.set $s (i64.add (local.get $s) (i64.load8_u (local.get $i))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $l)))
    (local.get $s))

  ;; The same as compilers write it: four at a time, the condition at the end.
  (func (export "sum4") (param $n i32) (result i64)
    (local $i i32) (local $s i64)
    (loop $l
      (local.set $s (i64.add (local.get $s) (i64.load8_u (local.get $i))))
      (local.set $s (i64.add (local.get $s) (i64.load8_u offset=1 (local.get $i))))
      (local.set $s (i64.add (local.get $s) (i64.load8_u offset=2 (local.get $i))))
      (local.set $s (i64.add (local.get $s) (i64.load8_u offset=3 (local.get $i))))
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4))) (local.get $n))))
    (local.get $s))

  ;; fib by recursion: nothing but calls.
  (func $fib (export "fib") (param $n i32) (result i64)
    (if (result i64) (i32.lt_u (local.get $n) (i32.const 2))
      (then (i64.extend_i32_u (local.get $n)))
      (else (i64.add (call $fib (i32.sub (local.get $n) (i32.const 1)))
                     (call $fib (i32.sub (local.get $n) (i32.const 2)))))))

  ;; Whether n bytes at a and b are equal.
  (func $equal (param $a i32) (param $b i32) (param $n i32) (result i32)
    (block $no
      (loop $l
        (if (i32.eqz (local.get $n)) (then (return (i32.const 1))))
        (br_if $no (i32.ne (i32.load8_u (local.get $a)) (i32.load8_u (local.get $b))))
        (local.set $a (i32.add (local.get $a) (i32.const 1)))
        (local.set $b (i32.add (local.get $b) (i32.const 1)))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $l)))
    (i32.const 0))

  (data (i32.const 64) "/archive/")
  (data (i32.const 128) "\01\00\18\00the archive is write-once")

  ;; "Archive is write-once" for a record at 4096: op at 6, flags at 48, spans of
  ;; offset and length from 56, the path the second one.
  (func (export "decide") (param $len i32) (result i64)
    (local $op i32) (local $path i32) (local $n i32)
    (local.set $op (i32.load16_u (i32.const 4102)))
    (if (i32.eqz (i32.and (i32.shl (i32.const 1) (local.get $op)) (i32.const 0x7b0)))
      (then (return (i64.const 0))))
    (if (i32.eqz (i32.and (i32.load (i32.const 4144)) (i32.const 16)))
      (then (return (i64.const 0))))
    (local.set $path (i32.add (i32.const 4096) (i32.load (i32.const 4160))))
    (local.set $n (i32.load (i32.const 4164)))
    (if (i32.lt_u (local.get $n) (i32.const 9)) (then (return (i64.const 0))))
    (if (i32.eqz (call $equal (local.get $path) (i32.const 64) (i32.const 9)))
      (then (return (i64.const 0))))
    (memory.copy (i32.const 4096) (i32.const 128) (i32.const 29))
    (i64.const 0x0000001d_00020000)))
