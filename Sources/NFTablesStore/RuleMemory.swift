internal import Glibc
internal import Netfilter
internal import RuleStore

/// Rules that were read or written last, with where they are in the kernel, in a file: as long as nf_tables has not changed
/// since, they need not be read again. The kernel takes long to give the rules of a long chain, for it looks for each part
/// of them from the chain's beginning on.
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
  /// So many changes may stand behind the rules: each has to be carried out again when they are read.
  private static let mostChanges = 16

  private func name(_ moment: Moment) -> String { "nf_tables-\(moment.namespace % Self.files).rules" }

  // MARK: Recalling

  /// nil where there is nothing to be believed.
  func recall(_ moment: Moment?) -> RememberedRules? {
    guard let moment, let key = Self.key(of: moment), let directory = Directory(path) else { return nil }
    let file = directory.open(name(moment), O_RDONLY | O_NONBLOCK)
    guard file >= 0 else { return nil }
    var info = stat()
    guard fstat(file, &info) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_uid == geteuid(),
      info.st_mode & 0o077 == 0, info.st_nlink == 1
    else {
      close(file)
      return nil
    }
    return RememberedRules(file, size: Int(info.st_size), key: key)
  }

  // MARK: Keeping

  /// Keeps the rules of tables, and of other tables that `earlier` has, but for those that have changed since.
  /// - Parameters:
  ///   - compiled: all tables that stand in compiled form in the kernel.
  ///   - isSettled: whether the tables share all that they can with those of the other family.
  func keep(
    _ tables: [LiveTable], replacing changed: Set<TableID> = [], since earlier: RememberedRules? = nil,
    at moment: Moment, compiled: Set<TableID>, isSettled: Bool
  ) {
    draft(
      tables.flatMap(\.contents), replacing: changed, since: earlier, at: moment, compiled: compiled,
      isSettled: isSettled)?.finish()
  }

  /// Begins a file with the rules of a moment, and those of other tables that `earlier` has, but for those that have changed
  /// since; nil where there is nothing to remember, or no place for it.
  func draft(
    _ contents: [RememberedRules.Content], replacing changed: Set<TableID>, since earlier: RememberedRules?,
    at moment: Moment, compiled: Set<TableID>, isSettled: Bool
  ) -> Draft? {
    var contents = contents
    let replaced = changed.union(contents.map(\.key.table))
    for key in earlier?.chains ?? [] where !replaced.contains(key.table) {
      guard let (rules, words) = earlier?.rules(of: key) else { continue }
      contents.append(RememberedRules.Content(key, earlier?.policy(of: key), rules, words))
    }
    guard contents.reduce(0, { $0 + $1.rules.count }) >= leastRules, let key = Self.key(of: moment), makeDirectory(),
      let directory = Directory(path)
    else { return nil }
    let known = Set(contents.lazy.filter(\.key.isCompiled).map(\.key.table))
    return Draft(
      name(moment), in: directory, contents, key, isSettled: isSettled, hasAllCompiled: compiled.isSubset(of: known))
  }

  /// A file that is not finished: it has the rules, and waits for where they are.
  final class Draft {
    private let name: String
    private let directory: Directory
    private let file: Int32
    private var chains: [RememberedRules.Content]
    private let key: [UInt8]
    private let isSettled: Bool
    private let hasAllCompiled: Bool
    private var isWhole: Bool
    private var isFinished = false

    fileprivate init?(
      _ name: String, in directory: consuming Directory, _ chains: [RememberedRules.Content], _ key: [UInt8],
      isSettled: Bool, hasAllCompiled: Bool
    ) {
      (self.name, self.chains, self.key) = (name, chains, key)
      (self.isSettled, self.hasAllCompiled) = (isSettled, hasAllCompiled)
      self.directory = directory
      self.directory.remove(Self.unfinished(name))
      file = self.directory.open(Self.unfinished(name), O_WRONLY | O_CREAT | O_EXCL)
      isWhole = file >= 0
      guard file >= 0 else { return nil }
      let head = [UInt8](repeating: 0, count: RememberedRules.headSize)
      isWhole = RuleMemory.write(head, to: file) && chains.allSatisfy { RuleMemory.write($0.rules.bytes, to: file) }
    }

    private static func unfinished(_ name: String) -> String { name + ".new" }

    /// Puts the file in its place.
    /// - Parameter words: of chains of which they were not known before (``RememberedRules/Content/words``).
    func finish(_ words: (RememberedRules.Key) -> [UInt64]? = { _ in nil }) {
      for index in chains.indices where chains[index].words == nil {
        chains[index].words = words(chains[index].key)
      }
      guard isWhole, chains.allSatisfy(\.isKnown) else { return }
      let index = RememberedRules.index(chains, key, isSettled: isSettled, hasAllCompiled: hasAllCompiled)
      let start = chains.reduce(RememberedRules.headSize) { $0 + $1.rules.bytes.count + $1.words!.count * 8 }
      let head = RememberedRules.head(of: index, at: start)
      let isWritten =
        chains.allSatisfy { chain in chain.words!.withUnsafeBytes { RuleMemory.write($0, to: file) } }
        && RuleMemory.write(index, to: file)
        && head.withUnsafeBytes { pwrite(file, $0.baseAddress, $0.count, 0) } == head.count
      if isWritten { isFinished = directory.rename(Self.unfinished(name), to: name) }
    }

    deinit {
      guard file >= 0 else { return }
      close(file)
      if !isFinished { directory.remove(Self.unfinished(name)) }
    }
  }

  /// Puts down behind what is remembered what has changed since.
  /// - Parameters:
  ///   - changes: of all chains.
  ///   - moment: since when it is so.
  /// - Returns: false where that is not possible, or the file should rather be written anew.
  func add(
    _ changes: [(key: RememberedRules.Key, event: RememberedRules.Event)], to earlier: RememberedRules,
    at moment: Moment
  )
    -> Bool
  {
    let size = changes.reduce(0) {
      if case .changed(let change) = $1.event { $0 + change.size } else { $0 }
    }
    guard hasRoom(behind: earlier, for: size), let key = Self.key(of: moment), let directory = Directory(path)
    else { return false }
    for (key, event) in changes {
      guard case .changed(let change) = event else { continue }
      guard change.count == earlier.count(of: key) ?? 0 else { return false }
    }
    let file = directory.open(name(moment), O_WRONLY | O_NONBLOCK)
    guard file >= 0 else { return false }
    defer { close(file) }
    guard earlier.isSame(as: file) else { return false }
    let bytes = earlier.encoded(changes, key)
    // Half of it makes the whole file worthless, until it is written anew.
    return bytes.withUnsafeBytes { pwrite(file, $0.baseAddress, $0.count, off_t(earlier.end)) } == bytes.count
  }

  /// Whether changes of so many bytes may be put down behind what is remembered; else it should rather be written anew.
  func hasRoom(behind earlier: RememberedRules, for size: Int = 0) -> Bool {
    earlier.changes < Self.mostChanges && (size + earlier.changedBytes) * 4 < earlier.end
  }

  private func makeDirectory() -> Bool {
    guard makesDirectory else { return true }
    return mkdir(path, 0o700) == 0 || errno == EEXIST
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
    var modules = stat()
    guard !BootID.current.isEmpty, let program = ProgramIdentity.bytes, stat("/sys/module", &modules) == 0 else {
      return nil
    }
    // A module has a directory of its own each time, and what is built in none, or the same always.
    var module = stat()
    let number = stat("/sys/module/nf_tables", &module) == 0 ? UInt64(module.st_ino) : 0
    var out = ByteWriter()
    out.write(moment.namespace)
    out.write(UInt64(moment.generation))
    out.write(program)
    out.write(number)
    out.write(Array(BootID.current.utf8))
    out.align(8)
    return out.bytes
  }

  /// A directory that is this user's own and that nobody else writes to.
  fileprivate struct Directory: ~Copyable {
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
    func rename(_ old: String, to new: String) -> Bool { renameat(file, old, file, new) == 0 }
  }
}

extension LiveTable {
  /// What to remember of it.
  var contents: [RememberedRules.Content] {
    table.chains.map { RememberedRules.Content(table, $0, isCompiled: compiled != nil, words(of: $0.name)) }
  }

  /// Where the rules of a chain are (``RememberedRules/Key/words``).
  func words(of chain: ChainName) -> [UInt64]? {
    guard let compiled else { return handles[chain] ?? [] }
    return places[chain] ?? compiled.chains[chain]?.places(in: table.id)
  }

  /// Whether it had to be read.
  var isNews: Bool {
    compiled == nil
      ? !uncounted.isSuperset(of: table.chains.filter { !$0.rules.isEmpty }.map(\.name))
      : !isOutline && table.ruleCount > 0
  }
}
