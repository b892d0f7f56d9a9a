internal import Glibc
public import Netfilter
internal import XTablesStore

extension IPSetDirectory {
  /// The sets of the network namespace that the calling thread is in. For a user who may not ask the kernel about them
  /// they are ``imagined``: such a user can read rules, and nobody lets him commit them.
  public static let system = IPSetDirectory(
    find: { name in
      do throws(KernelSets.Refusal) {
        return try KernelSets.find(name).map { .found(index: $0.index, family: $0.family) } ?? .missing
      } catch {
        guard !error.isNotPermitted else { return IPSetDirectory.imagined.find(name) }
        return .unavailable("the kernel does not tell of sets (\(String(cString: strerror(error.code))))")
      }
    },
    name: { index in (try? KernelSets.name(index)) ?? IPSetDirectory.imagined.name(index) })
}

extension Names {
  /// The names of this machine, but without asking the kernel: every name is a set. For rules that are not committed.
  public static let withoutKernel: Names = {
    var names = Names.system
    names.sets = .imagined
    return names
  }()

  /// The names of this machine, for rules that are looked at beside those of the kernel: a set that is not there yet is
  /// ``IPSetDirectory/imagined``.
  public static let forComparison: Names = {
    var names = Names.system
    names.sets.find = { name in
      let answer = IPSetDirectory.system.find(name)
      if case .found = answer { return answer }
      return IPSetDirectory.imagined.find(name)
    }
    return names
  }()
}
