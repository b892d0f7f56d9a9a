internal import Glibc
internal import Netfilter
internal import RuleStore

/// Rules that were read or written last, with their handles, in a file: as long as nf_tables has not changed since, they
/// need not be read again. The kernel takes long to give the rules of a long chain, for it looks for each part of them from
/// the chain's beginning on.
///
/// What a file says is believed only of the same start of the machine, network namespace, generation of nf_tables and
/// program, if nobody but the present user can have written it and its checksums are right. Whatever else may be wrong with
/// it, it is as if it were not there.
struct RuleMemory: Sendable {
  /// The directory of the files.
  let path: String
  /// Whether the directory is made where it is not there.
  let makesDirectory: Bool
  /// Rulesets with fewer rules are not kept.
  let leastRules: Int

  /// A generation of nf_tables that is like no other until the machine starts anew.
  struct Moment: Hashable {
    /// The network namespace's number (``NetlinkSocket/namespaceCookie``).
    let namespace: UInt64
    let generation: UInt32
  }

  /// Rulesets with fewer rules are read as fast as a file.
  static let leastRules = 100
  /// Namespaces share so many files: there may be very many in the course of time, and files take memory.
  private static let files: UInt64 = 4
  private static let magic = Array("firebreak nf_tables 1\n\0\0".utf8)
  private static let headSize = magic.count + 16
  /// Far more than the chains of any ruleset need.
  private static let longestIndex = 64 << 20

  private func name(_ moment: Moment) -> String { "nf_tables-\(moment.namespace % Self.files).rules" }

  // MARK: Recalling

  /// The rules of a moment, as far as a file has them.
  final class Recalled {
    private struct Part {
      let count: Int
      let offset: Int
      let handleSum: UInt64
      let size: Int
      let sum: UInt64
    }

    private struct Key: Hashable {
      let table: TableID
      let chain: ChainName
    }

    private let file: Int32
    private var parts: [Key: Part] = [:]

    fileprivate init?(_ file: Int32, _ moment: Moment, size: Int) {
      self.file = file
      guard RuleMemory.headSize <= size, let head = read(0, RuleMemory.headSize) else { return nil }
      var reader = ByteReader(head.span.bytes)
      guard let magic = try? reader.raw("magic", count: RuleMemory.magic.count), magic.elementsEqual(RuleMemory.magic),
        let indexSize = try? reader.uint64("size"), let indexSum = try? reader.uint64("checksum"),
        indexSize <= RuleMemory.longestIndex, let index = read(RuleMemory.headSize, Int(indexSize)),
        index.withUnsafeBytes({ FileSum.of($0) }) == indexSum,
        (try? readIndex(index, moment, start: RuleMemory.headSize + Int(indexSize), size)) == true
      else { return nil }
    }

    deinit { close(file) }

    private func readIndex(_ index: [UInt8], _ moment: Moment, start: Int, _ size: Int) throws(WireError) -> Bool {
      var reader = ByteReader(index.span.bytes)
      guard let key = RuleMemory.key(of: moment), try reader.raw("key", count: key.count).elementsEqual(key) else {
        return false
      }
      var offset = start
      for _ in 0..<(try reader.uint32("chains")) {
        guard let family = Family(rawValue: try reader.uint8("family")),
          let table = TableName(rawValue: try Self.text(&reader, "table"))
        else { return false }
        let chain = ChainName(unchecked: try Self.text(&reader, "chain"))
        let part = Part(
          count: Int(try reader.uint32("rules")), offset: offset, handleSum: try reader.uint64("checksum"),
          size: Int(try reader.uint32("bytes")), sum: try reader.uint64("checksum"))
        parts[Key(table: TableID(table, family), chain: chain)] = part
        offset += part.count * 8 + part.size
      }
      try reader.finish()
      return offset == size
    }

    private static func text(_ reader: inout ByteReader, _ field: StaticString) throws(WireError) -> String {
      let count = Int(try reader.uint16(field))
      return String(decoding: try reader.raw(field, count: count), as: UTF8.self)
    }

    var chains: [(table: TableID, chain: ChainName)] { parts.keys.map { ($0.table, $0.chain) } }

    /// - Parameter limit: how many rules there can be.
    func rules(of chain: ChainName, in table: TableID, atMost limit: Int = .max) -> (RuleList, [UInt64])? {
      guard let part = parts[Key(table: table, chain: chain)], part.count <= limit,
        let handles = read(part.offset, part.count, of: UInt64.self),
        let bytes = read(part.offset + part.count * 8, part.size),
        handles.withUnsafeBytes({ FileSum.of($0) }) == part.handleSum,
        bytes.withUnsafeBytes({ FileSum.of($0) }) == part.sum,
        let rules = try? RuleList(decoding: bytes, family: table.family), rules.count == handles.count
      else { return nil }
      return (rules, handles)
    }

    private func read(_ offset: Int, _ count: Int) -> [UInt8]? { read(offset, count, of: UInt8.self) }

    private func read<T: BitwiseCopyable>(_ offset: Int, _ count: Int, of: T.Type) -> [T]? {
      let size = count * MemoryLayout<T>.size
      let result = [T](unsafeUninitializedCapacity: count) { buffer, filled in
        let memory = UnsafeMutableRawBufferPointer(buffer)
        var done = 0
        while done < size {
          let part = pread(file, memory.baseAddress! + done, size - done, off_t(offset + done))
          if part < 0, errno == EINTR { continue }
          guard part > 0 else { break }
          done += part
        }
        filled = done == size ? count : 0
      }
      return result.count == count ? result : nil
    }
  }

  /// nil where there is nothing to be believed.
  func recall(_ moment: Moment?) -> Recalled? {
    guard let moment, let directory = Directory(path) else { return nil }
    let file = directory.open(name(moment), O_RDONLY | O_NONBLOCK)
    guard file >= 0 else { return nil }
    var info = stat()
    guard fstat(file, &info) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_uid == geteuid(),
      info.st_mode & 0o077 == 0, info.st_nlink == 1
    else {
      close(file)
      return nil
    }
    return Recalled(file, moment, size: Int(info.st_size))
  }

  // MARK: Keeping

  /// Keeps the rules of tables, and of other tables that `earlier` has, but for those that have changed since.
  func keep(
    _ tables: [LiveTable], replacing changed: Set<TableID> = [], since earlier: Recalled? = nil, at moment: Moment
  ) {
    var chains: [(TableID, ChainName, RuleList, [UInt64])] = []
    for live in tables {
      for chain in live.table.chains {
        chains.append((live.table.id, chain.name, chain.rules, live.handles[chain.name] ?? []))
      }
    }
    let own = changed.union(tables.map(\.table.id))
    for (table, chain) in earlier?.chains ?? [] where !own.contains(table) {
      guard let (rules, handles) = earlier?.rules(of: chain, in: table) else { continue }
      chains.append((table, chain, rules, handles))
    }
    guard chains.reduce(0, { $0 + $1.2.count }) >= leastRules, let head = Self.head(chains, moment),
      makeDirectory(), let directory = Directory(path)
    else { return }
    let unfinished = name(moment) + ".new"
    directory.remove(unfinished)
    let file = directory.open(unfinished, O_WRONLY | O_CREAT | O_EXCL)
    guard file >= 0 else { return }
    let isWhole =
      Self.write(head, to: file)
      && chains.allSatisfy { _, _, rules, handles in
        handles.withUnsafeBytes { Self.write($0, to: file) } && Self.write(rules.bytes, to: file)
      }
    if close(file) == 0, isWhole {
      directory.rename(unfinished, to: name(moment))
    } else {
      directory.remove(unfinished)
    }
  }

  private func makeDirectory() -> Bool {
    guard makesDirectory else { return true }
    return mkdir(path, 0o700) == 0 || errno == EEXIST
  }

  private static func head(_ chains: [(TableID, ChainName, RuleList, [UInt64])], _ moment: Moment) -> [UInt8]? {
    guard let key = key(of: moment) else { return nil }
    var index = ByteWriter()
    index.write(key)
    index.write(UInt32(chains.count))
    for (table, chain, rules, handles) in chains {
      index.write(table.family.rawValue)
      for text in [table.name.rawValue, chain.text] {
        index.write(UInt16(text.utf8.count))
        index.write(Array(text.utf8))
      }
      index.write(UInt32(rules.count))
      index.write(handles.withUnsafeBytes { FileSum.of($0) })
      index.write(UInt32(rules.bytes.count))
      index.write(rules.bytes.withUnsafeBytes { FileSum.of($0) })
    }
    var out = ByteWriter()
    out.write(magic)
    out.write(UInt64(index.count))
    out.write(FileSum.of(index.written))
    out.write(index.written)
    return out.bytes
  }

  private static func write(_ bytes: [UInt8], to file: Int32) -> Bool {
    bytes.withUnsafeBytes { write($0, to: file) }
  }

  private static func write(_ bytes: UnsafeRawBufferPointer, to file: Int32) -> Bool {
    var done = 0
    while done < bytes.count {
      let part = Glibc.write(file, bytes.baseAddress! + done, bytes.count - done)
      if part < 0, errno == EINTR { continue }
      guard part > 0 else { return false }
      done += part
    }
    return true
  }

  /// What has to be the same for a file to be believed: the machine's start, the namespace, the generation, the program,
  /// since another one may write rules in other forms, and nf_tables itself, which begins to count anew when its module is
  /// loaded again. nil where one of them cannot be told.
  private static func key(of moment: Moment) -> [UInt8]? {
    var program = stat()
    var modules = stat()
    guard !startOfMachine.isEmpty, stat("/proc/self/exe", &program) == 0, stat("/sys/module", &modules) == 0 else {
      return nil
    }
    // A module has a directory of its own each time, and what is built in none, or the same always.
    var module = stat()
    let number = stat("/sys/module/nf_tables", &module) == 0 ? UInt64(module.st_ino) : 0
    var out = ByteWriter()
    out.write(moment.namespace)
    out.write(UInt64(moment.generation))
    out.write(UInt64(program.st_dev))
    out.write(UInt64(program.st_ino))
    out.write(Int64(program.st_size))
    out.write(Int64(program.st_mtim.tv_sec))
    out.write(Int64(program.st_mtim.tv_nsec))
    out.write(number)
    out.write(startOfMachine)
    out.align(8)
    return out.bytes
  }

  /// The kernel's random number for this start (random(4)).
  private static let startOfMachine: [UInt8] = {
    let file = Glibc.open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return [] }
    defer { close(file) }
    return [UInt8](unsafeUninitializedCapacity: 64) { buffer, count in
      count = max(0, Glibc.read(file, buffer.baseAddress!, buffer.count))
    }
  }()

  /// A directory that is this user's own and that nobody else writes to.
  private struct Directory: ~Copyable {
    private let file: Int32

    init?(_ path: String) {
      let file = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      guard file >= 0 else { return nil }
      var info = stat()
      guard fstat(file, &info) == 0, info.st_uid == geteuid(), info.st_mode & 0o022 == 0 else {
        close(file)
        return nil
      }
      self.file = file
    }

    deinit { close(file) }

    func open(_ name: String, _ flags: Int32) -> Int32 {
      openat(file, name, flags | O_NOFOLLOW | O_CLOEXEC, 0o600)
    }

    func remove(_ name: String) { unlinkat(file, name, 0) }
    func rename(_ old: String, to new: String) { renameat(file, old, file, new) }
  }
}

/// A checksum that notices damage, 32 bytes at a time. It is no defence against intent.
enum FileSum {
  static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var lanes = SIMD4<UInt64>(
      0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344, 0xa409_3822_299f_31d0, 0x082e_fa98_ec4e_6c89)
    let factor = SIMD4<UInt64>(repeating: 0x9e37_79b9_7f4a_7c15)
    var offset = 0
    while offset + 32 <= bytes.count {
      lanes = (lanes ^ bytes.loadUnaligned(fromByteOffset: offset, as: SIMD4<UInt64>.self)) &* factor
      lanes = lanes &<< 29 | lanes &>> 35
      offset += 32
    }
    var sum = UInt64(bytes.count)
    for lane in 0..<4 { mix(&sum, lanes[lane]) }
    while offset < bytes.count {
      mix(&sum, UInt64(bytes[offset]))
      offset += 1
    }
    return sum
  }

  private static func mix(_ sum: inout UInt64, _ word: UInt64) {
    sum = (sum ^ word) &* 0x9e37_79b9_7f4a_7c15
    sum ^= sum >> 32
  }
}
