internal import CLinux
internal import Glibc

/// The system that hooks are installed in: this one, or an image under a folder.
package struct HookSite: Sendable {
  /// The resolved path of the image's root; empty for the running system.
  private let root: String

  /// - Parameter root: the folder that is `/` of the system.
  package init(root: String = "/") throws(HookFailure) {
    guard let resolved = realpath(root, nil) else { throw .noRoot(root, code: errno) }
    defer { free(resolved) }
    var info = stat()
    guard stat(resolved, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else { throw .noRoot(root, code: ENOTDIR) }
    let path = String(cString: resolved)
    self.root = path == "/" ? "" : path
  }

  package var isThisSystem: Bool { root.isEmpty }

  func has(_ path: String) -> Bool { access(root + path, F_OK) == 0 }

  /// What is at a file's place.
  package enum Condition: String, Sendable {
    case absent
    case installed
    /// Firebreak's, but not as it would be written now.
    case outdated
    /// Somebody else's.
    case foreign
  }

  package func condition(of file: HookFile) throws(HookFailure) -> Condition {
    let path = root + file.path
    var info = stat()
    guard lstat(path, &info) == 0 else {
      let code = errno
      guard code == ENOENT || code == ENOTDIR else { throw .system(operation: "examine", path: path, code: code) }
      return .absent
    }
    switch (file.content, info.st_mode & S_IFMT) {
    case (.text(let text, let isProgram), S_IFREG):
      let present = try Self.beginning(of: path, count: text.utf8.count + 1)
      if present.elementsEqual(text.utf8) {
        return info.st_mode & 0o7777 == Self.mode(isProgram) ? .installed : .outdated
      }
      let start = String(decoding: try Self.beginning(of: path, count: Self.markerRange), as: UTF8.self)
      return start.contains(file.marker) ? .outdated : .foreign
    case (.link(let target, let others), S_IFLNK):
      let present = Self.target(of: path)
      return present == target || others.contains(present) ? .installed : .foreign
    default: return .foreign
    }
  }

  /// Makes the files what they are to be. All are looked at before the first is written.
  /// - Parameter isRehearsal: change nothing.
  /// - Returns: the paths of those that were not so already.
  /// - Throws: ``HookFailure``
  package func install(_ files: [HookFile], isRehearsal: Bool = false) throws(HookFailure) -> [String] {
    let conditions = try conditions(of: files)
    var changed: [String] = []
    for (file, condition) in zip(files, conditions) where condition != .installed {
      if !isRehearsal {
        try makeFolders(above: file.path)
        try write(file)
      }
      changed.append(root + file.path)
    }
    return changed
  }

  /// Removes the files; those that are not there are no failure.
  /// - Returns: the paths of those that were there.
  /// - Throws: ``HookFailure``
  package func remove(_ files: [HookFile], isRehearsal: Bool = false) throws(HookFailure) -> [String] {
    let conditions = try conditions(of: files)
    var changed: [String] = []
    // A link goes before what it leads to.
    for (file, condition) in zip(files, conditions).reversed() where condition != .absent {
      let path = root + file.path
      if !isRehearsal {
        try checkParent(of: path)
        guard unlink(path) == 0 else { throw .system(operation: "remove", path: path, code: errno) }
      }
      changed.append(path)
    }
    return changed
  }

  /// - Throws: ``HookFailure/foreign(_:)`` with all of these.
  private func conditions(of files: [HookFile]) throws(HookFailure) -> [Condition] {
    var conditions: [Condition] = []
    for file in files { conditions.append(try condition(of: file)) }
    let foreign = zip(files, conditions).filter { $0.1 == .foreign }.map { root + $0.0.path }
    guard foreign.isEmpty else { throw .foreign(foreign) }
    return conditions
  }

  /// Tells systemd, where it runs this system, that its files have changed.
  /// - Returns: whether it knows.
  package func reloadSystemd() -> Bool {
    guard isThisSystem, access("/run/systemd/system", F_OK) == 0 else { return true }
    let names: [String] = ["systemctl", "daemon-reload"]
    var words: [UnsafeMutablePointer<CChar>?] = names.map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    return fb_run_quietly("systemctl", &words) == 0
  }

  // MARK: Files

  /// The marker stands in the first lines.
  private static let markerRange = 1024

  private static func mode(_ isProgram: Bool) -> mode_t { isProgram ? 0o755 : 0o644 }

  private func write(_ file: HookFile) throws(HookFailure) {
    let path = root + file.path
    switch file.content {
    case .text(let text, let isProgram):
      do throws(OutputFile.Unwritable) {
        try OutputFile.write(Array(text.utf8), to: path, mode: Self.mode(isProgram))
      } catch {
        throw .system(operation: "write", path: path, code: error.code)
      }
    case .link(let target, _):
      guard symlink(target, path) == 0 else { throw .system(operation: "write", path: path, code: errno) }
    }
  }

  /// Makes the folders that are missing, never outside of the root.
  private func makeFolders(above path: String) throws(HookFailure) {
    var folder = root
    for part in path.split(separator: "/").dropLast() {
      folder += "/\(part)"
      if mkdir(folder, 0o755) == 0 {
        chmod(folder, 0o755)
        continue
      }
      let code = errno
      guard code == EEXIST else { throw .system(operation: "make", path: folder, code: code) }
      try checkInside(folder)
    }
  }

  private func checkParent(of path: String) throws(HookFailure) {
    try checkInside(String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]))
  }

  private func checkInside(_ folder: String) throws(HookFailure) {
    guard !isThisSystem else { return }
    guard let resolved = realpath(folder, nil) else { throw .system(operation: "find", path: folder, code: errno) }
    defer { free(resolved) }
    let path = String(cString: resolved)
    guard path == root || path.hasPrefix(root + "/") else { throw .outside(folder, root: root) }
  }

  private static func beginning(of path: String, count: Int) throws(HookFailure) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { throw .system(operation: "read", path: path, code: errno) }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: count)
    let done = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress!, count) }
    guard done >= 0 else { throw .system(operation: "read", path: path, code: errno) }
    return Array(bytes.prefix(done))
  }

  private static func target(of path: String) -> String {
    withUnsafeTemporaryAllocation(byteCount: Int(PATH_MAX), alignment: 1) { buffer in
      let count = readlink(path, buffer.baseAddress!, buffer.count)
      return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : ""
    }
  }
}
