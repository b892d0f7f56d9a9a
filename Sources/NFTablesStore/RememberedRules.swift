internal import Glibc
internal import Netfilter
internal import RuleStore

/// The rules of a moment, as far as a file of ``RuleMemory`` has them.
///
/// The file begins with a head: `firebreak nf_tables 4\n`, zeros up to byte 24, where the index begins, its length, its
/// checksum (8 bytes each). The rules of all chains follow, then where they are in the kernel (``Key/words``), in the same
/// order; then the index: the moment (its length, its bytes), whether tables share all that they can, whether every
/// compiled table of the kernel is in the file, and of each chain the table, the name, the form, the policy, how many
/// rules, bytes and such words there are, and checksums. What changed later follows behind: for each commit the length of
/// what is said of it, a checksum over this and over the checksum before it, the moment since which it is so, and the
/// chains that changed (``RememberedChange``). All in host order.
final class RememberedRules {
  static let magic = Array("firebreak nf_tables 4\n\0\0".utf8)
  static let headSize = magic.count + 24
  /// Far more than the chains of any ruleset need.
  private static let longestIndex = 64 << 20
  private static let changeHead = 16

  struct Key: Hashable {
    let table: TableID
    let chain: ChainName
    /// Where the table is compiled the kernel does not tell the policy.
    var isCompiled = false

    /// How many words tell where a rule is in the kernel: its handle, or its place (``RulePlace``).
    var words: Int { isCompiled ? RulePlace.words : 1 }
  }

  /// The rules of a chain on their way into a file.
  struct Content {
    let key: Key
    let policy: Policy?
    let rules: RuleList
    /// Where the rules are (``Key/words``); nil where the kernel has yet to tell.
    var words: [UInt64]?

    /// Whether it is known where the rules are.
    var isKnown: Bool { words?.count == rules.count * key.words }

    init(_ key: Key, _ policy: Policy?, _ rules: RuleList, _ words: [UInt64]?) {
      (self.key, self.policy, self.rules, self.words) = (key, policy, rules, words)
    }

    init(_ table: Table, _ chain: Chain, isCompiled: Bool, _ words: [UInt64]?) {
      let key = Key(table: table.id, chain: chain.name, isCompiled: isCompiled)
      self.init(key, chain.policy, chain.rules, chain.rules.isEmpty ? [] : words)
    }
  }

  private struct Part {
    let policy: Policy?
    let count: Int
    let offset: Int
    let size: Int
    let sum: UInt64
    let words: Int
    var wordOffset = 0
    let wordSum: UInt64
  }

  /// What a commit made of a chain.
  enum Event {
    case gone
    case changed(RememberedChange)
  }

  private let file: Int32
  private var parts: [Key: Part] = [:]
  private var events: [Key: [Event]] = [:]
  /// How many rules each chain has now.
  private var counts: [Key: Int] = [:]
  /// Whether the compiled tables were written by a commit that let families share what they can.
  private(set) var isSettled = false
  /// Whether there is no compiled table in the kernel but those that are remembered.
  private var hasAllCompiled = false

  /// Where the file ends, and what the next change has to be checked against.
  let end: Int
  private(set) var lastSum: UInt64 = 0
  private(set) var changes = 0
  private(set) var changedBytes = 0

  /// - Parameters:
  ///   - file: is closed in the end.
  ///   - key: of the moment that it has to be of.
  init?(_ file: Int32, size: Int, key: [UInt8]) {
    self.file = file
    end = size
    guard Self.headSize <= size, let head = read(0, Self.headSize) else { return nil }
    var reader = ByteReader(head.span.bytes)
    guard let magic = try? reader.raw("magic", count: Self.magic.count), magic.elementsEqual(Self.magic),
      let start = try? reader.uint64("index"), let length = try? reader.uint64("size"),
      let sum = try? reader.uint64("checksum"), start <= size, length <= Self.longestIndex,
      let index = read(Int(start), Int(length)), index.withUnsafeBytes({ FileSum.of($0) }) == sum,
      let since = try? readIndex(index, until: Int(start))
    else { return nil }
    lastSum = sum
    guard let last = readChanges(from: Int(start + length), since), last == key else { return nil }
  }

  deinit { close(file) }

  // MARK: What there is

  var chains: [Key] { Array(counts.keys) }

  /// So many chains are asked for by name; the list of all has no more to say of more.
  private static let mostNames = 200

  /// All chains of iptables that stand in compiled form in a family; nil where that is not known, or they are too many to
  /// be asked for one by one.
  func compiledChains(_ family: Family) -> [Key]? {
    guard hasAllCompiled else { return nil }
    let chains = counts.keys.filter { $0.isCompiled && $0.table.family == family }
    return !chains.isEmpty && chains.count <= Self.mostNames ? chains : nil
  }

  /// nil for a chain that the file does not have.
  func count(of key: Key) -> Int? { counts[key] }

  /// What a policy was when the file was begun; it cannot change without the file's being written anew.
  func policy(of key: Key) -> Policy? { parts[key]?.policy }

  /// The rules with where they are (``Key/words``).
  /// - Parameter limit: how many rules there can be.
  func rules(of key: Key, atMost limit: Int = .max) -> (RuleList, [UInt64])? {
    guard let count = counts[key], count <= limit else { return nil }
    var subject = RememberedChange.Subject(key.table.family)
    if let part = parts[key] {
      guard let rules = read(part.offset, part.size), rules.withUnsafeBytes({ FileSum.of($0) }) == part.sum,
        let numbers = words(of: part)
      else { return nil }
      subject = RememberedChange.Subject(key.table.family, bytes: rules, words: numbers)
    }
    for event in events[key] ?? [] {
      switch event {
      case .gone: subject = RememberedChange.Subject(key.table.family)
      case .changed(let change): guard subject.take(change) else { return nil }
      }
    }
    guard let rules = try? RuleList(decoding: subject.bytes, family: key.table.family), rules.count == count,
      subject.words.count == count * key.words
    else { return nil }
    return (rules, subject.words)
  }

  /// Where the rules are, without them.
  func words(of key: Key) -> [UInt64]? {
    guard let count = counts[key] else { return nil }
    var words: [UInt64] = []
    if let part = parts[key] {
      guard let found = self.words(of: part) else { return nil }
      words = found
    }
    for event in events[key] ?? [] {
      switch event {
      case .gone: words = []
      case .changed(let change):
        guard words.count == change.count * key.words else { return nil }
        change.carryOut(on: &words)
      }
    }
    return words.count == count * key.words ? words : nil
  }

  private func words(of part: Part) -> [UInt64]? {
    guard let words = read(part.wordOffset, part.words, of: UInt64.self),
      words.withUnsafeBytes({ FileSum.of($0) }) == part.wordSum
    else { return nil }
    return words
  }

  /// Whether it is the file behind another descriptor.
  func isSame(as other: Int32) -> Bool {
    var mine = stat()
    var theirs = stat()
    return fstat(file, &mine) == 0 && fstat(other, &theirs) == 0 && mine.st_dev == theirs.st_dev
      && mine.st_ino == theirs.st_ino && theirs.st_size == end && theirs.st_nlink == 1
  }

  // MARK: Index

  /// - Returns: the moment.
  private func readIndex(_ index: [UInt8], until end: Int) throws(WireError) -> [UInt8] {
    var reader = ByteReader(index.span.bytes)
    let key = try reader.raw("key", count: Int(try reader.uint32("size")))
    isSettled = try reader.uint8("settled") != 0
    hasAllCompiled = try reader.uint8("all compiled") != 0
    var offset = Self.headSize
    var order: [Key] = []
    for _ in 0..<(try reader.uint32("chains")) {
      let chain = try Self.key(&reader)
      let policy = try Self.policy(&reader)
      let part = Part(
        policy: policy, count: Int(try reader.uint32("rules")), offset: offset, size: Int(try reader.uint32("bytes")),
        sum: try reader.uint64("checksum"), words: Int(try reader.uint32("words")),
        wordSum: try reader.uint64("checksum"))
      parts[chain] = part
      counts[chain] = part.count
      order.append(chain)
      offset += part.size
    }
    try reader.finish()
    for chain in order {
      parts[chain]!.wordOffset = offset
      offset += parts[chain]!.words * 8
    }
    guard offset == end, parts.count == order.count else { throw reader.invalid("chains") }
    return key
  }

  static func index(_ chains: [Content], _ key: [UInt8], isSettled: Bool, hasAllCompiled: Bool) -> [UInt8] {
    var out = ByteWriter()
    out.write(UInt32(key.count))
    out.write(key)
    out.write(UInt8(isSettled ? 1 : 0))
    out.write(UInt8(hasAllCompiled ? 1 : 0))
    out.write(UInt32(chains.count))
    for chain in chains {
      let words = chain.words ?? []
      write(chain.key, to: &out)
      out.write(chain.policy.map { $0.verdict.rawValue } ?? .max)
      out.write(UInt32(chain.rules.count))
      out.write(UInt32(chain.rules.bytes.count))
      out.write(chain.rules.bytes.withUnsafeBytes { FileSum.of($0) })
      out.write(UInt32(words.count))
      out.write(words.withUnsafeBytes { FileSum.of($0) })
    }
    return out.bytes
  }

  static func head(of index: [UInt8], at start: Int) -> [UInt8] {
    var out = ByteWriter()
    out.write(magic)
    out.write(UInt64(start))
    out.write(UInt64(index.count))
    out.write(index.withUnsafeBytes { FileSum.of($0) })
    return out.bytes
  }

  private static func key(_ reader: inout ByteReader) throws(WireError) -> Key {
    guard let family = Family(rawValue: try reader.uint8("family")),
      let table = TableName(rawValue: try text(&reader, "table"))
    else { throw reader.invalid("table") }
    let chain = ChainName(unchecked: try text(&reader, "chain"))
    return Key(table: TableID(table, family), chain: chain, isCompiled: try reader.uint8("form") != 0)
  }

  private static func policy(_ reader: inout ByteReader) throws(WireError) -> Policy? {
    switch try reader.uint8("policy") {
    case Verdict.accept.rawValue: .accept
    case Verdict.drop.rawValue: .drop
    case .max: nil
    default: throw reader.invalid("policy")
    }
  }

  private static func text(_ reader: inout ByteReader, _ field: StaticString) throws(WireError) -> String {
    let count = Int(try reader.uint16(field))
    return String(decoding: try reader.raw(field, count: count), as: UTF8.self)
  }

  private static func write(_ key: Key, to out: inout ByteWriter) {
    out.write(key.table.family.rawValue)
    for text in [key.table.name.rawValue, key.chain.text] {
      out.write(UInt16(text.utf8.count))
      out.write(Array(text.utf8))
    }
    out.write(UInt8(key.isCompiled ? 1 : 0))
  }

  // MARK: Changes

  /// - Returns: the moment since which all is as they say; nil where one of them is damaged.
  private func readChanges(from start: Int, _ since: [UInt8]) -> [UInt8]? {
    var key = since
    var rest = start
    while rest < end {
      guard let head = read(rest, Self.changeHead) else { return nil }
      let (length, sum) = head.withUnsafeBytes {
        ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      }
      guard length <= UInt64(end - rest - Self.changeHead), let bytes = read(rest + Self.changeHead, Int(length)),
        bytes.withUnsafeBytes({ FileSum.of($0, after: lastSum) }) == sum, let next = try? readChange(bytes)
      else { return nil }
      key = next
      lastSum = sum
      changes += 1
      rest += Self.changeHead + Int(length)
    }
    changedBytes = rest - start
    return key
  }

  private func readChange(_ bytes: [UInt8]) throws(WireError) -> [UInt8] {
    var reader = ByteReader(bytes.span.bytes)
    let key = try reader.raw("key", count: Int(try reader.uint32("size")))
    for _ in 0..<(try reader.uint32("chains")) {
      let chain = try Self.key(&reader)
      if try reader.uint8("event") == 0 {
        events[chain, default: []].append(.gone)
        counts[chain] = nil
        continue
      }
      let change = try RememberedChange(&reader, width: chain.words)
      guard change.count == counts[chain] ?? 0 else { throw reader.invalid("count") }
      events[chain, default: []].append(.changed(change))
      counts[chain] = change.newCount
    }
    try reader.finish()
    return key
  }

  /// What to write at the end of the file.
  /// - Parameter key: of the moment since which it is so.
  func encoded(_ changes: [(key: Key, event: Event)], _ key: [UInt8]) -> [UInt8] {
    var out = ByteWriter()
    out.zeros(Self.changeHead)
    out.write(UInt32(key.count))
    out.write(key)
    out.write(UInt32(changes.count))
    for (chain, event) in changes {
      Self.write(chain, to: &out)
      switch event {
      case .gone: out.write(UInt8(0))
      case .changed(let change):
        out.write(UInt8(1))
        change.write(to: &out)
      }
    }
    let content = UnsafeRawBufferPointer(rebasing: out.written[Self.changeHead...])
    let sum = FileSum.of(content, after: lastSum)
    out.patch(UInt64(content.count), at: 0)
    out.patch(sum, at: 8)
    return out.bytes
  }

  // MARK: The file

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
