/// A module for playbooks, where Ansible looks for modules by itself. The program is looked for when it runs, on the
/// machine that is managed.
enum AnsibleHook {
  static let file = HookFile("/usr/share/ansible/plugins/modules/firebreak.py", .ansible, module)

  private static let module = #"""
    #!/usr/bin/python3
    \#(SystemHook.ansible.heading)
    """An Ansible module: packet-filter rules committed as one act."""

    from __future__ import annotations

    DOCUMENTATION = r"""
    module: firebreak
    short_description: Commit packet-filter rules as one act, or confirm such a commit
    description:
      - Rules text is given in C(ipv4) and C(ipv6), or as files of the managed machine in C(src).
      - Nothing is changed where the kernel holds the rules already. A commit that fails leaves the rules as they were.
      - With C(confirm) the commit is taken back unless a task with C(state=confirmed) runs within that time. A connection
        that is opened for that task (C(meta: reset_connection)) proves that the new rules let Ansible in.
    options:
      state: {choices: [applied, confirmed], default: applied, type: str}
      ipv4: {description: As iptables-save prints it., type: str}
      ipv6: {description: As ip6tables-save prints it., type: str}
      src: {description: Files or folders of the managed machine., type: list, elements: path}
      confirm: {description: "A time, such as 60s or 2m.", type: str}
      verify: {description: Commands that take the commit back when they fail., type: list, elements: str}
      message: {description: Why; it stands in the history., type: str, default: ansible}
      exclusive: {description: Take the tables whole., type: bool, default: false}
      allow_lockout: {description: Commit what would stop those who are logged in., type: bool, default: false}
      backend: {choices: [auto, legacy, nft], default: auto, type: str}
      netns: {description: A network namespace to act in., type: str}
      state_dir: {description: Where state is kept., type: path}
      lock_wait: {description: Seconds to wait for other programs., type: int, default: 30}
      program: {description: Where firebreak is; by its name alone it is looked for., type: str, default: firebreak}
    attributes:
      check_mode: {support: full}
      diff_mode: {support: full}
    """

    EXAMPLES = r"""
    - firebreak:
        ipv4: "{{ lookup('ansible.builtin.file', 'rules.v4') }}"
        confirm: 2m
      register: rules
    - ansible.builtin.meta: reset_connection
    - firebreak:
        state: confirmed
      when: rules.awaits
    """

    RETURN = r"""
    before: {description: The generation before., type: int, returned: success}
    after: {description: The generation now., type: int, returned: success}
    generation: {description: The one that this task made., type: int, returned: changed}
    rolled_back: {description: Whether the rules were put in force and taken back., type: bool, returned: always}
    awaits: {description: Whether it is taken back unless it is confirmed., type: bool, returned: success}
    added: {description: How many rules., type: int, returned: success}
    removed: {description: How many rules., type: int, returned: success}
    notes: {description: What is worth knowing., type: list, returned: success}
    """

    import json
    import os
    import tempfile

    from ansible.module_utils.basic import AnsibleModule

    ROLLED_BACK = {81, 82}


    def call(module, *words):
        """Runs firebreak without a shell or terminal, and returns its status and what it printed as JSON."""
        options = ["--json", "--backend", module.params["backend"]]
        for name in ("netns", "state_dir"):
            if module.params[name]:
                options += ["--" + name.replace("_", "-"), module.params[name]]
        program = module.get_bin_path(module.params["program"], required=True, opt_dirs=["/usr/local/sbin", "/usr/sbin"])
        status, output, errors = module.run_command([program, *words, *options])
        try:
            return status, json.loads(output.strip().splitlines()[-1]), errors
        except (IndexError, ValueError):
            return status, {}, errors


    def fail(module, status, result, errors):
        message = result.get("error") or errors.strip() or "firebreak ended with status %d" % status
        if result.get("hint"):
            message += " (%s)" % result["hint"]
        module.fail_json(
            msg=message, rc=status, changed=False, rolled_back=status in ROLLED_BACK, stderr=errors,
            diagnostics=result.get("diagnostics", []))


    def diff_text(tables):
        lines = []
        for table in tables:
            lines.append("%s table %s" % ("ip6tables" if table["family"] == 6 else "iptables", table["table"]))
            for chain in table["chains"]:
                lines += ["- " + line for line in chain["removed"]] + ["+ " + line for line in chain["added"]]
        return "".join(line + "\n" for line in lines)


    def apply(module):
        params = module.params
        words = ["apply", "--diff", "--lock-wait", str(params["lock_wait"]), "--message", params["message"]]
        if module.check_mode:
            words.append("--check")
        elif params["confirm"]:
            words += ["--confirm", params["confirm"], "--no-wait"]
        if not module.check_mode:
            for command in params["verify"] or []:
                words += ["--verify", command]
        for name in ("exclusive", "allow_lockout"):
            if params[name]:
                words.append("--" + name.replace("_", "-"))
        with tempfile.TemporaryDirectory(dir=module.tmpdir) as folder:
            files = list(params["src"] or [])
            for name, suffix in (("ipv4", "v4"), ("ipv6", "v6")):
                if params[name] is not None:
                    files.append(os.path.join(folder, "rules." + suffix))
                    with open(files[-1], "w", encoding="utf-8") as file:
                        file.write(params[name].rstrip("\n") + "\n")
            status, result, errors = call(module, *words, *(os.path.abspath(file) for file in files))
        if status != 0 or not result:
            fail(module, status or 70, result, errors)
        kept = ("before", "after", "generation", "rolled_back", "added", "removed", "tables", "notes", "seconds_left")
        answer = {name: result[name] for name in kept if name in result}
        answer.update(changed=result["changed"], awaits="seconds_left" in result, status=result["status"])
        if result["changed"]:
            answer["diff"] = {"prepared": diff_text(result.get("diff", []))}
        module.exit_json(**answer)


    def confirm(module):
        if module.check_mode:
            status, result, errors = call(module, "status")
            module.exit_json(changed=bool(result.get("awaiting")), rolled_back=False)
        status, result, errors = call(module, "confirm")
        if status != 0 or not result:
            fail(module, status or 70, result, errors)
        module.exit_json(changed=True, rolled_back=False, generation=result["generation"], status=result["status"])


    def main():
        module = AnsibleModule(
            argument_spec={
                "state": {"choices": ["applied", "confirmed"], "default": "applied"},
                "ipv4": {"type": "str"},
                "ipv6": {"type": "str"},
                "src": {"type": "list", "elements": "path"},
                "confirm": {"type": "str"},
                "verify": {"type": "list", "elements": "str"},
                "message": {"type": "str", "default": "ansible"},
                "exclusive": {"type": "bool", "default": False},
                "allow_lockout": {"type": "bool", "default": False},
                "backend": {"choices": ["auto", "legacy", "nft"], "default": "auto"},
                "netns": {"type": "str"},
                "state_dir": {"type": "path"},
                "lock_wait": {"type": "int", "default": 30},
                "program": {"type": "str", "default": "firebreak"},
            },
            supports_check_mode=True,
        )
        if module.params["state"] == "confirmed":
            confirm(module)
        if not any(module.params[name] for name in ("ipv4", "ipv6", "src")):
            module.fail_json(msg="there are no rules: give ipv4, ipv6 or src")
        apply(module)


    if __name__ == "__main__":
        main()

    """#
}
