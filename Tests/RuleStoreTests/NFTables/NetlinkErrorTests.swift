import Glibc
import NFTablesStore
import RuleStore
import Testing

/// What error numbers of netlink mean for who reads them.
@Suite struct NetlinkErrorTests {
  @Test(arguments: [
    (NetlinkFailure.Operation.open, EPROTONOSUPPORT, BackendError.Kind.unsupported, "no nf_tables"),
    (.open, EAFNOSUPPORT, .unsupported, "no nf_tables"), (.answer, EOPNOTSUPP, .unsupported, "no nf_tables"),
    // nfnetlink without the subsystem.
    (.answer, EINVAL, .unsupported, "no nf_tables"), (.answer, EPERM, .notPermitted, "only root"),
    (.send, EPERM, .notPermitted, "only root"), (.interrupted, EINTR, .busy, "again and again"),
    (.interrupted, ENOBUFS, .busy, "again and again"), (.send, EMSGSIZE, .system, "more than the kernel takes"),
    (.receive, EAGAIN, .system, "did not answer"), (.open, EMFILE, .system, "cannot be reached"),
  ])
  func whatItMeans(_ operation: NetlinkFailure.Operation, _ code: Int32, _ kind: BackendError.Kind, _ words: String) {
    let error = BackendError(NetlinkFailure(operation, code))
    #expect(error.kind == kind && error.code == code)
    #expect(error.message.contains(words), "\(error.message)")
  }
}
