internal import Glibc
internal import Netfilter
public import RuleStore

/// The text that rules were read from, and what it came to when it was committed: the same text need not be read again as
/// long as it means the same.
public struct SourceText: Sendable {
  private let files: [[UInt8]]
  /// Whatever else decides what the files say: their names, and options.
  private let circumstances: [String]

  public init(_ files: [[UInt8]], under circumstances: [String]) {
    self.files = files
    self.circumstances = circumstances
  }

  /// Shorter ones are read as fast as they are found to be known.
  private static let least = 8 << 10
  private static let magic = Array("firebreak text 1\n\0\0\0".utf8)
  private static let headSize = magic.count + 12
  private static let longestIndex = 1 << 20
  /// So many texts are kept, each under a number made of what it is: what is loaded in turn, as for IPv4 and IPv6.
  private static let slots: UInt64 = 4

  private var size: Int { files.reduce(0) { $0 + $1.count } }
  private var name: String { "text-\(Self.sum(key) % Self.slots)" }

  private var key: [UInt8] {
    var sink = MemorySink()
    sink.write(UInt32(circumstances.count))
    for text in circumstances { sink.write(lengthAndText: text) }
    return sink.bytes
  }

  private static func sum(_ bytes: [UInt8]) -> UInt64 { bytes.withUnsafeBytes { RunningChecksum.of($0) } }

  // MARK: On disk

  // `firebreak text 1\n` and zeros up to 20 bytes, the length of the index (4 bytes), its checksum (8 bytes), the index: the
  // program, the circumstances, the tables with their digests (``CommitRecord/digest(of:)``), the lengths of the files; and
  // the files.

  /// What the text came to when it was committed last, by this program, from files of these names.
  /// - Returns: the digest of each table that it names; nil where nothing is known.
  public func known(in state: StateDirectory) -> [TableID: UInt64]? {
    guard size >= Self.least, let program = ProgramIdentity.bytes else { return nil }
    let file = open(state.file(name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard file >= 0 else { return nil }
    defer { close(file) }
    guard let head = Self.read(file, 0, Self.headSize), head.starts(with: Self.magic) else { return nil }
    let (length, sum) = head.withUnsafeBytes { bytes in
      (
        Int(bytes.loadUnaligned(fromByteOffset: Self.magic.count, as: UInt32.self)),
        bytes.loadUnaligned(fromByteOffset: Self.magic.count + 4, as: UInt64.self)
      )
    }
    guard length <= Self.longestIndex, let index = Self.read(file, Self.headSize, length), Self.sum(index) == sum,
      let digests = try? digests(index, program)
    else { return nil }
    var place = Self.headSize + length
    for bytes in files {
      guard Self.isSame(file, place, bytes) else { return nil }
      place += bytes.count
    }
    return digests
  }

  /// - Returns: nil for another text.
  private func digests(_ index: [UInt8], _ program: [UInt8]) throws(WireError) -> [TableID: UInt64]? {
    var reader = ByteReader(index.span.bytes)
    guard try reader.raw("program", count: Int(try reader.uint32("size"))) == program,
      try reader.raw("circumstances", count: Int(try reader.uint32("size"))) == key
    else { return nil }
    var digests: [TableID: UInt64] = [:]
    for _ in 0..<(try reader.uint32("tables")) {
      let id = try reader.tableID()
      digests[id] = try reader.uint64("digest")
    }
    guard Int(try reader.uint32("files")) == files.count else { return nil }
    for bytes in files {
      guard try reader.uint64("length") == UInt64(bytes.count) else { return nil }
    }
    try reader.finish()
    return digests
  }

  /// Keeps the text with what it came to. Where that is not possible it will be read again.
  func keep(_ digests: [TableID: UInt64], in state: StateDirectory) {
    guard size >= Self.least, let program = ProgramIdentity.bytes else { return }
    var index = MemorySink()
    index.write(UInt32(program.count))
    index.write(program)
    let key = key
    index.write(UInt32(key.count))
    index.write(key)
    index.write(UInt32(digests.count))
    for (id, digest) in digests.sorted(by: { $0.key < $1.key }) {
      index.write(id)
      index.write(digest)
    }
    index.write(UInt32(files.count))
    for bytes in files { index.write(UInt64(bytes.count)) }
    let bytes = index.bytes
    do {
      try state.write(to: name) { out in
        out.write(Self.magic)
        out.write(UInt32(bytes.count))
        out.write(Self.sum(bytes))
        out.write(bytes)
        for file in files { file.withUnsafeBytes { out.put($0) } }
      }
    } catch {
      // On a full disk half of it would only be in the way.
      try? state.remove(name + ".new")
    }
  }

  private static func read(_ file: Int32, _ offset: Int, _ count: Int) -> [UInt8]? {
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      filled = max(0, pread(file, buffer.baseAddress, count, off_t(offset)))
    }
    return bytes.count == count ? bytes : nil
  }

  /// Whether these bytes stand in a file from a place on.
  private static func isSame(_ file: Int32, _ offset: Int, _ bytes: [UInt8]) -> Bool {
    let piece = 256 << 10
    return bytes.withUnsafeBytes { wanted in
      withUnsafeTemporaryAllocation(byteCount: min(piece, max(1, bytes.count)), alignment: 16) { buffer in
        var done = 0
        while done < wanted.count {
          let count = pread(file, buffer.baseAddress, min(buffer.count, wanted.count - done), off_t(offset + done))
          if count < 0, errno == EINTR { continue }
          guard count > 0, memcmp(buffer.baseAddress!, wanted.baseAddress! + done, count) == 0 else { return false }
          done += count
        }
        return true
      }
    }
  }
}
