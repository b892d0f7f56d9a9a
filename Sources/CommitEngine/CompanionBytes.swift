internal import Netfilter
internal import RuleStore

/// What commits have made of a companion.
package struct CompanionState: Hashable, Sendable {
  /// nil where it is not there.
  package let content: [UInt8]?
  /// Whether it is Firebreak's; one that a rollback made what it was found as is nobody's business any more.
  package let isOurs: Bool
}

extension [Companion: CompanionState] {
  /// What is Firebreak's and there.
  var ours: [Companion: [UInt8]] { compactMapValues { $0.isOurs ? $0.content : nil } }
}

/// Companions as records and generations hold them: at the end, and only where there are any, so that files without them
/// are those of versions that knew none. A content is whether there is one (1 byte), its length (4 bytes) and its bytes.
extension RecordSink where Self: ~Copyable {
  mutating func write(_ changes: [CompanionChange]) {
    guard !changes.isEmpty else { return }
    write(UInt32(changes.count))
    for change in changes {
      write(change.companion)
      write(content: change.before)
      write(content: change.after)
    }
  }

  mutating func write(_ states: [Companion: CompanionState]) {
    write(UInt32(states.count))
    for (companion, state) in states.sorted(by: { $0.key < $1.key }) {
      write(companion)
      write(UInt8(state.isOurs ? 1 : 0))
      write(content: state.content)
    }
  }

  mutating func write(_ contents: [Companion: [UInt8]?]) {
    write(UInt32(contents.count))
    for (companion, content) in contents.sorted(by: { $0.key < $1.key }) {
      write(companion)
      write(content: content)
    }
  }

  private mutating func write(_ companion: Companion) {
    write(companion.kind.rawValue)
    write(lengthAndText: companion.name)
  }

  private mutating func write(content: [UInt8]?) {
    write(UInt8(content == nil ? 0 : 1))
    guard let content else { return }
    write(UInt32(content.count))
    write(content)
  }
}

extension ByteReader {
  /// None where the bytes are at their end.
  mutating func companionChanges() throws(WireError) -> [CompanionChange] {
    var changes: [CompanionChange] = []
    guard remaining > 0 else { return changes }
    for _ in 0..<(try uint32("companions")) {
      let companion = try companion()
      let before = try content()
      changes.append(CompanionChange(companion, before: before, after: try content()))
    }
    return changes
  }

  /// None where the bytes are at their end.
  mutating func companionStates() throws(WireError) -> [Companion: CompanionState] {
    var states: [Companion: CompanionState] = [:]
    guard remaining > 0 else { return states }
    for _ in 0..<(try uint32("companions")) {
      let companion = try companion()
      let isOurs = try uint8("ours") != 0
      states[companion] = CompanionState(content: try content(), isOurs: isOurs)
    }
    return states
  }

  /// None where the bytes are at their end.
  mutating func companionContents() throws(WireError) -> [Companion: [UInt8]?] {
    var contents: [Companion: [UInt8]?] = [:]
    guard remaining > 0 else { return contents }
    for _ in 0..<(try uint32("companions")) {
      let companion = try companion()
      contents.updateValue(try content(), forKey: companion)
    }
    return contents
  }

  private mutating func companion() throws(WireError) -> Companion {
    guard let kind = Companion.Kind(rawValue: try uint8("kind")) else { throw invalid("kind") }
    return Companion(kind, try lengthAndText("name"))
  }

  private mutating func content() throws(WireError) -> [UInt8]? {
    guard try uint8("content") != 0 else { return nil }
    let count = Int(try uint32("length"))
    return try raw("content", count: count)
  }
}
