internal import CLinux
internal import Glibc

/// The programs that change packet filters, wherever they lie, and what stands in for them in a script's view of files: this
/// program, which takes each call to the copy and lets the real program do the work there.
struct ToolMounts {
  /// How a program is treated.
  enum Kind: String {
    /// Works on the copy.
    case copied
    /// Works on the copy of nf_tables' tables that iptables knows.
    case nft
    /// nft(8): works on the copy of all tables of nf_tables.
    case native
    /// systemctl(1), which must not load rules behind our back.
    case services
  }

  private let missingNFTables: String?
  private let missingNatives: String?
  private static let folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]

  init(_ kernel: StagedKernel) {
    missingNFTables = kernel.missingNFTables
    missingNatives = kernel.missingNatives
  }

  // MARK: Finding them

  private static let names: [String] = {
    var names = ["ipset", "nft", "systemctl", "xtables-multi", "xtables-legacy-multi", "xtables-nft-multi"]
    for family in ["iptables", "ip6tables"] {
      for variant in ["", "-legacy", "-nft"] {
        for ending in ["", "-save", "-restore"] { names.append(family + variant + ending) }
      }
    }
    for family in ["ebtables", "arptables"] {
      for ending in ["", "-save", "-restore", "-nft", "-nft-save", "-nft-restore", "-legacy"] {
        names.append(family + ending)
      }
    }
    return names
  }()

  private static func kind(_ name: String) -> Kind {
    switch name {
    case "nft": .native
    case "systemctl": .services
    default: name.contains("nft") ? .nft : .copied
    }
  }

  private static var searched: [String] {
    let path = getenv("PATH").map { String(cString: $0).split(separator: ":").map(String.init) } ?? []
    return path.filter { $0.hasPrefix("/") } + folders
  }

  /// The files of programs, each once, whatever names lead to them. Scripts are left alone: what they call is found itself.
  private static func found() -> [(path: String, kind: Kind)] {
    var seen: Set<String> = []
    var result: [(path: String, kind: Kind)] = []
    let own = StagingFolder.program
    for folder in searched {
      for name in names {
        guard let resolved = realpath("\(folder)/\(name)", nil) else { continue }
        defer { free(resolved) }
        let path = String(cString: resolved)
        guard path != own, seen.insert(path).inserted, isProgram(path) else { continue }
        let file = String(path.split(separator: "/").last ?? "")
        result.append((path, kind(names.contains(file) ? file : name)))
      }
    }
    return result
  }

  /// `\x7fELF`
  private static func isProgram(_ path: String) -> Bool {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var magic: [UInt8] = [0, 0, 0, 0]
    return read(descriptor, &magic, 4) == 4 && magic == [0x7f, 0x45, 0x4c, 0x46]
  }

  /// Whether there is an iptables anywhere; where there is none, ours stands in.
  private static var hasIPTables: Bool { searched.contains { access($0 + "/iptables", X_OK) == 0 } }

  // MARK: Covering them

  /// Covers them in the calling thread's view of files, which has to be its own.
  /// - Returns: a folder to add to PATH, where this machine lacks iptables.
  func cover() throws -> String? {
    guard mkdir(StagingFolder.real, 0o755) == 0 else { throw StagingFailure("cannot make a folder", code: errno) }
    var lines = ""
    let tools = Self.found()
    for (number, tool) in tools.enumerated() {
      let real = "\(StagingFolder.real)/\(number)"
      close(try StagingFolder.create(real))
      try Self.bind(tool.path, real)
      lines += "\(tool.path)\t\(number)\t\(tool.kind.rawValue)\t\(refusal(of: tool.kind))\n"
    }
    close(try StagingFolder.create(StagingFolder.tools, lines))
    // By its path: the file that /proc/self/exe leads to lies in the view of files outside.
    guard let own = StagingFolder.program else { throw StagingFailure("this program's own file cannot be found") }
    for tool in tools { try Self.bind(own, tool.path) }
    guard !Self.hasIPTables else { return nil }
    mkdir(StagingFolder.programs, 0o755)
    for family in ["iptables", "ip6tables"] {
      for ending in ["", "-save", "-restore"] {
        for variant in ["", "-legacy"] { symlink(own, "\(StagingFolder.programs)/\(family)\(variant)\(ending)") }
      }
    }
    symlink(own, StagingFolder.programs + "/iptables-xml")
    return StagingFolder.programs
  }

  private static func bind(_ source: String, _ target: String) throws(StagingFailure) {
    let code = fb_bind(source, target)
    if code != 0 { throw StagingFailure("\(source) cannot be mounted at \(target)", code: code) }
  }

  private func refusal(of kind: Kind) -> String {
    switch kind {
    case .nft: missingNFTables.map { "the rules of nf_tables are not in the copy of `firebreak run`: \($0)" } ?? ""
    case .native: missingNatives.map { "nf_tables is not in the copy of `firebreak run`: \($0)" } ?? ""
    case .copied, .services: ""
    }
  }
}
