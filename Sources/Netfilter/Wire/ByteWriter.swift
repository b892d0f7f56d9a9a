/// Writes a kernel structure field by field into memory of its own. Numbers go out in host order unless said otherwise.
public struct ByteWriter: ~Copyable {
  // What numbers are written with is compiled into the modules that write them: a call for each costs more than the rest.
  @usableFromInline var memory: UnsafeMutableRawPointer
  @usableFromInline var capacity: Int
  @usableFromInline package internal(set) var count = 0

  package init(capacity: Int = 512) {
    self.capacity = capacity
    memory = .allocate(byteCount: capacity, alignment: 8)
  }

  deinit { memory.deallocate() }

  /// What has been written so far; valid until the next write.
  package var written: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory, count: count) }

  /// A copy of what has been written so far.
  package var bytes: [UInt8] { Array(written) }

  @inlinable @inline(__always)
  mutating func reserve(_ more: Int) {
    if count + more > capacity { grow(more) }
  }

  @usableFromInline mutating func grow(_ more: Int) {
    capacity = Swift.max(capacity * 2, count + more)
    let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 8)
    larger.copyMemory(from: memory, byteCount: count)
    memory.deallocate()
    memory = larger
  }

  @inlinable @inline(__always)
  package mutating func write<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
    reserve(MemoryLayout<T>.size)
    memory.storeBytes(of: value, toByteOffset: count, as: T.self)
    count += MemoryLayout<T>.size
  }

  /// Network order.
  @inlinable @inline(__always)
  package mutating func write<T: FixedWidthInteger & BitwiseCopyable>(big value: T) {
    write(value.bigEndian)
  }

  package mutating func write(_ more: [UInt8]) {
    more.withUnsafeBytes { write($0) }
  }

  package mutating func write(_ more: UnsafeRawBufferPointer) {
    guard let start = more.baseAddress else { return }
    reserve(more.count)
    (memory + count).copyMemory(from: start, byteCount: more.count)
    count += more.count
  }

  package mutating func zeros(_ number: Int) {
    reserve(number)
    (memory + count).initializeMemory(as: UInt8.self, repeating: 0, count: number)
    count += number
  }

  /// An address of 4 or 16 bytes in network order.
  package mutating func write(address bits: UInt128, _ family: Family) {
    switch family {
    case .ipv4: write(big: UInt32(truncatingIfNeeded: bits))
    case .ipv6: write(big: bits)
    }
  }

  /// An address in a `union nf_inet_addr`, always 16 bytes.
  package mutating func write(unionAddress bits: UInt128, _ family: Family) {
    write(address: bits, family)
    if family == .ipv4 { zeros(12) }
  }

  /// Text in a field of `size` bytes, zero-padded and cut to leave a final zero.
  package mutating func write(text: String, size: Int) {
    let start = count
    zeros(size)
    var place = start
    for byte in text.utf8 where place < start + size - 1 {
      memory.storeBytes(of: byte, toByteOffset: place, as: UInt8.self)
      place += 1
    }
  }

  /// Zeros up to the next multiple of `alignment`, counted from `start`.
  package mutating func align(_ alignment: Int, from start: Int = 0) {
    let over = (count - start) % alignment
    if over > 0 { zeros(alignment - over) }
  }

  /// Forgets what was written after the first `count` bytes.
  package mutating func truncate(to count: Int) {
    precondition(count <= self.count, "bytes that have not been written")
    self.count = count
  }

  /// Overwrites a number written before; lengths and offsets are known only at the end.
  @inlinable
  package mutating func patch<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at offset: Int) {
    precondition(offset >= 0 && offset + MemoryLayout<T>.size <= count, "patch of bytes not written yet")
    memory.storeBytes(of: value, toByteOffset: offset, as: T.self)
  }
}
