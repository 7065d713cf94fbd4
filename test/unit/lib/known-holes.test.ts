import test from "ava";
import { isBeforeTheMend } from "../../lib/known-holes.ts";

test("runc makes empty files outside of a root before 1.1.14, and before 1.2.0-rc.3", (t) => {
  const before = (version: string) => isBeforeTheMend(`runc version ${version}\ncommit: v1\n`);
  for (const version of ["1.0.3", "1.1.5+ds1", "1.1.13", "1.2.0-rc.2"]) t.true(before(version), version);
  for (const version of ["1.1.14", "1.1.15+ds1", "1.2.0-rc.3", "1.2.0", "1.3.1", "2.0.0"]) t.false(before(version), version);
});

test("what is no version of runc forgives nothing", (t) => {
  t.throws(() => isBeforeTheMend("crun version 1.8.1"), { message: /read the version of runc/ });
});
