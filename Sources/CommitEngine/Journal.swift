internal import Glibc
internal import Netfilter
package import RuleStore

/// What stands on file while a commit is under way or waits to be confirmed: its record, and how far it is.
///
/// The file begins with a head of 64 bytes that is changed in place, because that needs no room on a disk that is full
/// by then: `firebreak journal 1\n`, zeros up to byte 24, the phase (8 bytes), the deadline (8 bytes), the length of the
/// record (8 bytes), a checksum over these (8 bytes), zeros. The record follows.
package struct Journal: Sendable {
  package enum Phase: UInt64, Sendable {
    /// The kernel is being written to, or what was written is being verified.
    case writing = 1
    /// Good but for the word of somebody who can still log in.
    case awaiting = 2
    /// Nobody has to watch it: it is over when the commit returns, and one that was carried out whole is good.
    case unguarded = 3
    /// The commit was declared good, or is taken back: the file is about to go.
    case finished = 4
    /// Nobody has to watch it, and the companions of its tables are as they are to be, too.
    case written = 5
    /// The same for one that somebody watches: it is being verified.
    case verifying = 6
    /// Sets are being made that are new, and nothing else has begun.
    case making = 7
    /// The rules are as they are to be, and the companions of their tables are being changed.
    case changing = 8
    /// It was carried out whole, and is being taken back.
    case returning = 9

    /// Whether it is taken back when who makes it dies.
    var needsItsMaker: Bool {
      switch self {
      case .writing, .changing, .verifying, .returning: true
      case .making, .unguarded, .written, .awaiting, .finished: false
      }
    }

    /// Whether all of the commit was carried out.
    var isCarriedOut: Bool {
      switch self {
      case .written, .verifying, .awaiting, .returning: true
      case .making, .writing, .unguarded, .changing, .finished: false
      }
    }

    /// Whether rules that the kernel has may lack the counters that they are to have.
    var mayLackCounters: Bool { self == .returning || !isCarriedOut }
  }

  package struct Head: Equatable, Sendable {
    package var phase: Phase
    /// When the commit is taken back if it is not good by then; `.max` for never.
    package var deadline: BootTime
    package let nonce: UInt64

    package init(phase: Phase, deadline: BootTime, nonce: UInt64) {
      self.phase = phase
      self.deadline = deadline
      self.nonce = nonce
    }
  }

  package var head: Head
  /// Whether a guard watches it.
  var isGuarded: Bool { head.deadline != .never }
  package let record: CommitRecord

  private static let magic = Array("firebreak journal 1\n".utf8)
  static let headSize = 64

  func write<Sink: RecordSink & ~Copyable>(to out: inout Sink) {
    out.write(Self.encoded(head))
    record.write(to: &out)
  }

  package var encoded: [UInt8] {
    var sink = MemorySink()
    write(to: &sink)
    return sink.bytes
  }

  static func encoded(_ head: Head) -> [UInt8] {
    var out = ByteWriter(capacity: headSize)
    write(head, to: &out)
    return Array(out.written)
  }

  private static func write(_ head: Head, to out: inout ByteWriter) {
    out.write(magic)
    out.align(24)
    for word in [head.phase.rawValue, head.deadline.nanoseconds, head.nonce] { out.write(word) }
    out.write(checksum(head.phase.rawValue, head.deadline.nanoseconds, head.nonce))
    out.align(headSize)
  }

  private static func checksum(_ words: UInt64...) -> UInt64 {
    var sum = Checksum()
    for word in words { sum.add(word) }
    return sum.value
  }

  /// - Parameter bytes: the file's, or as much of them as the head needs.
  static func head(of bytes: [UInt8]) throws(CommitRecord.Damage) -> Head {
    guard bytes.count >= headSize, bytes.prefix(magic.count).elementsEqual(magic) else { throw .notARecord }
    let words = bytes.withUnsafeBytes { all in
      [24, 32, 40, 48].map { all.loadUnaligned(fromByteOffset: $0, as: UInt64.self) }
    }
    guard checksum(words[0], words[1], words[2]) == words[3], let phase = Phase(rawValue: words[0]) else {
      throw .checksum
    }
    return Head(phase: phase, deadline: BootTime(nanoseconds: words[1]), nonce: words[2])
  }

  package init(head: Head, record: CommitRecord) {
    self.head = head
    self.record = record
  }

  package init(decoding bytes: [UInt8]) throws(CommitRecord.Damage) {
    head = try Self.head(of: bytes)
    record = try CommitRecord(decoding: Array(bytes[Self.headSize...]))
    guard record.nonce == head.nonce else { throw .checksum }
  }
}
