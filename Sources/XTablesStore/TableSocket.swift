internal import Glibc
internal import Netfilter
internal import RuleStore

/// The kernel's own interface to a table: `getsockopt` and `setsockopt` on a raw socket
/// (linux/netfilter_ipv4/ip_tables.h; the IPv6 structures are the same).
struct TableSocket: ~Copyable {
  private let descriptor: Int32
  let id: TableID

  enum Operation: Hashable, Sendable {
    case open
    case read
    case replace
    case count
  }

  struct Failure: Error {
    let operation: Operation
    let code: Int32
  }

  private enum Option {
    // IPT_BASE_CTL and IP6T_BASE_CTL are both 64.
    static let getInfo: Int32 = 64
    static let getEntries: Int32 = 65
    static let replace: Int32 = 64
    static let addCounters: Int32 = 65
    static func getRevision(_ family: Family, isTarget: Bool) -> Int32 {
      (family == .ipv4 ? 66 : 68) + (isTarget ? 1 : 0)
    }
  }

  init(_ id: TableID) throws(Failure) {
    self.id = id
    descriptor = socket(
      id.family == .ipv4 ? AF_INET : AF_INET6, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue),
      Int32(IPPROTO_RAW))
    guard descriptor >= 0 else { throw Failure(operation: .open, code: errno) }
  }

  deinit { close(descriptor) }

  private var level: Int32 { id.family == .ipv4 ? Int32(IPPROTO_IP) : Int32(IPPROTO_IPV6) }

  /// Writes the table's name into the first 32 bytes of a structure.
  private func name(_ memory: UnsafeMutableRawBufferPointer) {
    for (place, byte) in id.name.rawValue.utf8.enumerated() { memory[place] = byte }
  }

  /// `struct ipt_getinfo`. The kernel makes the table when it does not exist yet.
  func info() throws(Failure) -> TableInfo {
    var bytes = [UInt8](repeating: 0, count: TableInfo.size)
    var length = socklen_t(TableInfo.size)
    let result = bytes.withUnsafeMutableBytes { memory in
      name(memory)
      return getsockopt(descriptor, level, Option.getInfo, memory.baseAddress, &length)
    }
    guard result == 0 else { throw Failure(operation: .open, code: errno) }
    return bytes.withUnsafeBytes { TableInfo($0) }
  }

  /// Whether the kernel has this revision of an extension (`struct xt_get_revision`); its module is loaded for it. nil when
  /// the kernel has no such extension at all, or does not say.
  static func has(_ revision: UInt8, of name: String, isTarget: Bool, _ family: Family) -> Bool? {
    guard let socket = try? TableSocket(TableID(.filter, family)) else { return nil }
    var question = ByteWriter(capacity: RuleCodec.extensionNameSize + 1)
    question.write(text: name, size: RuleCodec.extensionNameSize)
    question.write(revision)
    var bytes = question.bytes
    var length = socklen_t(bytes.count)
    let result = bytes.withUnsafeMutableBytes {
      getsockopt(
        socket.descriptor, socket.level, Option.getRevision(family, isTarget: isTarget), $0.baseAddress, &length)
    }
    if result == 0 { return true }
    return errno == EPROTONOSUPPORT ? false : nil
  }

  /// The table as the kernel lays it out: `info.size` bytes of entries. EAGAIN when it has changed since `info`.
  func entries(_ info: TableInfo) throws(Failure) -> PageMemory {
    let memory = PageMemory(count: TableInfo.entriesOffset + info.byteCount)
    name(memory.bytes)
    memory.bytes.storeBytes(of: UInt32(info.byteCount), toByteOffset: 32, as: UInt32.self)
    var length = socklen_t(memory.bytes.count)
    guard getsockopt(descriptor, level, Option.getEntries, memory.bytes.baseAddress, &length) == 0 else {
      throw Failure(operation: .read, code: errno)
    }
    return memory
  }

  /// Puts a table in place of the old one.
  /// - Parameters:
  ///   - image: `struct ipt_replace` with its entries, all but its name, number of counters and pointer to them.
  ///   - oldCount: how many entries the old table has; EAGAIN when that is not so.
  /// - Returns: the old entries' counters at the moment of the change.
  func replace(_ image: borrowing PageMemory, oldCount: Int) throws(Failure) -> [Counters] {
    name(image.bytes)
    let old = PageMemory(count: max(1, oldCount) * 16)
    image.bytes.storeBytes(of: UInt32(oldCount), toByteOffset: TableInfo.replaceCountersOffset, as: UInt32.self)
    image.bytes.storeBytes(
      of: UInt(bitPattern: old.bytes.baseAddress), toByteOffset: TableInfo.replaceCountersOffset + 4, as: UInt.self)
    guard setsockopt(descriptor, level, Option.replace, image.bytes.baseAddress, socklen_t(image.bytes.count)) == 0
    else {
      throw Failure(operation: .replace, code: errno)
    }
    return (0..<oldCount).map { entry in
      Counters(
        packets: old.bytes.loadUnaligned(fromByteOffset: entry * 16, as: UInt64.self),
        bytes: old.bytes.loadUnaligned(fromByteOffset: entry * 16 + 8, as: UInt64.self))
    }
  }

  /// Adds to the counters of every entry (`struct xt_counters_info`).
  func add(_ counters: [Counters]) throws(Failure) {
    let memory = PageMemory(count: 40 + counters.count * 16)
    name(memory.bytes)
    memory.bytes.storeBytes(of: UInt32(counters.count), toByteOffset: 32, as: UInt32.self)
    for (entry, counter) in counters.enumerated() {
      memory.bytes.storeBytes(of: counter.packets, toByteOffset: 40 + entry * 16, as: UInt64.self)
      memory.bytes.storeBytes(of: counter.bytes, toByteOffset: 48 + entry * 16, as: UInt64.self)
    }
    guard
      setsockopt(descriptor, level, Option.addCounters, memory.bytes.baseAddress, socklen_t(memory.bytes.count)) == 0
    else {
      throw Failure(operation: .count, code: errno)
    }
  }
}

/// `struct ipt_getinfo`: what a table looks like from outside.
struct TableInfo {
  static let size = 84
  /// Where the entries begin in `struct ipt_get_entries`.
  static let entriesOffset = 40
  /// Where the entries begin in `struct ipt_replace`, and where its counters are named.
  static let replaceEntriesOffset = 96
  static let replaceCountersOffset = 84

  let validHooks: HookSet
  /// Offset of the first rule of each hook's chain, and of its policy.
  let hookEntries: [Int]
  let underflows: [Int]
  let entryCount: Int
  let byteCount: Int

  init(_ bytes: UnsafeRawBufferPointer) {
    func number(_ offset: Int) -> Int { Int(bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
    validHooks = HookSet(rawValue: UInt8(truncatingIfNeeded: number(32)))
    hookEntries = (0..<5).map { number(36 + 4 * $0) }
    underflows = (0..<5).map { number(56 + 4 * $0) }
    entryCount = number(76)
    byteCount = number(80)
  }
}

/// Zeroed memory straight from the kernel, given back at once when it is no longer needed.
struct PageMemory: ~Copyable {
  let bytes: UnsafeMutableRawBufferPointer

  init(count: Int) {
    let memory = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let memory, memory != MAP_FAILED else { fatalError("out of memory") }
    if count >= 4 << 20 { madvise(memory, count, MADV_HUGEPAGE) }
    bytes = UnsafeMutableRawBufferPointer(start: memory, count: count)
  }

  /// Gives the first `count` bytes back, down to a whole huge page; they read as zero from then on.
  static func discard(_ start: UnsafeMutableRawPointer, upTo count: Int) {
    let hugePage = 2 << 20
    let end = (Int(bitPattern: start) + count) / hugePage * hugePage
    let length = end - Int(bitPattern: start)
    if length > 0 { madvise(start, length, MADV_DONTNEED) }
  }

  deinit { munmap(bytes.baseAddress!, bytes.count) }
}
