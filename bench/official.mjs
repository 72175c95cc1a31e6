// What bench/run.sh measures beside policypin, done by the official Cedar engine:
//
//	node bench/official.mjs validate DIR
//	node bench/official.mjs authorize DIR COUNT
//
// The first validates all policies of a project as one set. The second decides
// requests as bench/authorize does, with the entities that each call needs.
import { readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(new URL('../internal/cedar/testdata/official/engine.mjs', import.meta.url))
const engine = require('@cedar-policy/cedar-wasm/nodejs')

const [task, dir, count] = process.argv.slice(2)
const read = (...path) => readFileSync(join(dir, ...path), 'utf8')
const schema = read('schemas', '2026-06-18.cedarschema')
const names = readdirSync(join(dir, 'policies'), { recursive: true }).filter((name) => name.endsWith('.cedar'))
const staticPolicies = Object.fromEntries(names.map((name) => [name, read('policies', name)]))

const expect = (answer) => {
  if (answer.type !== 'success') throw new Error(JSON.stringify(answer).slice(0, 1000))
  return answer
}

if (task === 'validate') {
  const { validationErrors } = expect(engine.validate({ schema, policies: { staticPolicies } }))
  if (validationErrors.length > 0) throw new Error(JSON.stringify(validationErrors).slice(0, 1000))
  console.log(names.length)
} else if (task === 'authorize') {
  const key = ({ type, id }) => `${type}::${id}`
  const entities = new Map(JSON.parse(read('entities', 'all.json')).map((e) => [key(e.uid), e]))
  expect(engine.preparseSchema('schema', schema))
  expect(engine.preparsePolicySet('policies', { staticPolicies }))
  let allowed = 0
  for (const line of read('requests', 'log0.jsonl').split('\n', Number(count))) {
    const request = JSON.parse(line)
    const { response } = expect(engine.statefulIsAuthorized({
      ...request, entities: [entities.get(key(request.principal)), entities.get(key(request.resource))],
      preparsedSchemaName: 'schema', validateRequest: true, preparsedPolicySetId: 'policies',
    }))
    if (response.decision === 'allow') allowed++
  }
  console.log(allowed)
} else {
  console.error('usage: node official.mjs validate DIR | authorize DIR COUNT')
  process.exit(2)
}
