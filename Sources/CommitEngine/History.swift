internal import Glibc
public import Netfilter

/// The generations on disk: one file each, in the folder `generations` of the state directory, named by number.
public struct History: Sendable {
  let state: StateDirectory
  /// Where the sets (ipset) that rules look into are found: rules come with the numbers that these have now, and with
  /// ``IPSetDirectory/imagined`` ones where they are gone. nil for the numbers that they had.
  let sets: IPSetDirectory?

  public init(state: StateDirectory, sets: IPSetDirectory? = nil) {
    self.state = state
    self.sets = sets
  }

  static let folder = "generations"
  /// The next generation, written before the kernel is, and named by its number when it is declared good.
  static let staged = "\(folder)/pending"

  /// Which generations are kept: the newest ones, and those that are young, as long as all of them together are not too
  /// large.
  public struct Retention: Hashable, Sendable {
    public var count = 100
    public var age: Duration = .seconds(90 * 86_400)
    /// In bytes; the newest ``least`` are kept whatever their size.
    public var size = 512 << 20
    public var least = 10
    public init() {}
  }

  public enum Failure: Error, Hashable, Sendable {
    case missing(Int, newest: Int?)
    case pruned(Int, oldest: Int)
    case damaged(Int, path: String, reason: String)
  }

  // MARK: Reading

  /// The numbers of the generations there are, rising.
  public func numbers() throws(SystemError) -> [Int] {
    try state.names(in: Self.folder).compactMap { Int($0) }.sorted()
  }

  /// The newest generation that was made in the present network namespace; nil where there is none. Damaged ones do not say
  /// where they were made and are passed over.
  func newestHere() throws(SystemError) -> Generation.Summary? {
    for number in try numbers().reversed() {
      if let summary = try? summary(number), summary.isHere { return summary }
    }
    return nil
  }

  static func name(_ number: Int) -> String {
    let digits = String(number)
    return "\(folder)/" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
  }

  /// What a list shows of a generation.
  public func summary(_ number: Int) throws -> Generation.Summary {
    try read(number, limit: Generation.longestSummary) { bytes throws(CommitRecord.Damage) in
      try Generation.summary(of: bytes).summary
    }
  }

  /// - Throws: ``Failure`` or ``SystemError``.
  public func generation(_ number: Int) throws -> Generation {
    let generation = try read(number, limit: .max) { bytes throws(CommitRecord.Damage) in
      try Generation(decoding: bytes)
    }
    return sets.map { generation.withPresentSets($0) } ?? generation
  }

  private func read<R>(_ number: Int, limit: Int, _ decode: ([UInt8]) throws(CommitRecord.Damage) -> R) throws -> R {
    guard let bytes = try state.read(Self.name(number), limit: limit) else {
      let numbers = try numbers()
      if let oldest = numbers.first, number >= 1, number < oldest { throw Failure.pruned(number, oldest: oldest) }
      throw Failure.missing(number, newest: numbers.last)
    }
    do throws(CommitRecord.Damage) { return try decode(bytes) } catch {
      throw Failure.damaged(number, path: state.file(Self.name(number)), reason: "\(error)")
    }
  }

  /// The newest generation of the present network namespace that is whole.
  /// - Parameter damaged: is told what is newer and is not.
  public func newestIntact(_ damaged: (Failure) -> Void = { _ in }) throws -> Generation? {
    for number in try numbers().reversed() {
      do {
        if try summary(number).isHere { return try generation(number) }
      } catch let failure as Failure {
        damaged(failure)
      }
    }
    return nil
  }

  // MARK: Writing

  /// Puts a generation on disk under a name of its own, safe from a loss of power.
  func stage(_ generation: Generation) throws {
    let isNew = try state.makeFolder(Self.folder)
    try state.write(to: Self.staged, isDurable: true) { generation.write(to: &$0) }
    if isNew { try state.sync() }
  }

  /// Declares the staged generation good: from then on it is in the history.
  /// - Throws: ``SystemError``; it is staged as before then.
  func publish(_ number: Int) throws(SystemError) {
    try state.rename(Self.staged, to: Self.name(number))
    do throws(SystemError) { try state.sync(Self.folder) } catch {
      // A name that cannot be taken back stands, although a loss of power may still take it.
      if (try? state.rename(Self.name(number), to: Self.staged)) != nil { throw error }
    }
  }

  func dropStaged() throws(SystemError) {
    try state.remove(Self.staged)
    try state.remove(Self.staged + ".new")
  }

  /// The staged generation of a commit, where it is there and whole.
  func stagedGeneration(of nonce: UInt64) throws(SystemError) -> Generation? {
    guard let bytes = try state.read(Self.staged), let generation = try? Generation(decoding: bytes),
      generation.summary.nonce == nonce
    else { return nil }
    return generation
  }

  /// Removes what is neither among the newest nor young, and of the rest the oldest where it is too much.
  func prune(_ retention: Retention, now: Int64) throws {
    var size = 0
    for (place, number) in try numbers().reversed().enumerated() {
      var info = stat()
      guard lstat(state.file(Self.name(number)), &info) == 0 else { continue }
      size += Int(info.st_size)
      let isOld = now - Int64(info.st_mtim.tv_sec) > retention.age.components.seconds
      let isTooMuch = place >= max(1, retention.least) && size > retention.size
      if isTooMuch || (place >= max(1, retention.count) && isOld) { try state.remove(Self.name(number)) }
    }
  }
}

extension History.Failure: CustomStringConvertible {
  public var description: String {
    switch self {
    case .missing(let number, let newest):
      newest.map { "there is no generation \(number); the newest is \($0)" }
        ?? "there is no generation \(number): nothing has been committed yet"
    case .pruned(let number, let oldest):
      "generation \(number) is no longer kept; the oldest that is left is \(oldest)"
    case .damaged(let number, let path, let reason):
      "generation \(number) is damaged and cannot be used (\(reason)): \(path)"
    }
  }
}
