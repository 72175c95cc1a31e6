// The official Cedar engine behind a pipe: each line of standard input is one
// question as JSON, each line of standard output the answer. See
// official_test.go for what is asked.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const require = createRequire(import.meta.url)
const name = '@cedar-policy/cedar-wasm/nodejs'
let engine = require(name)

const texts = (errors) => errors.map((e) => [e.message, e.help].filter(Boolean).join(' — '))

const answers = {
  version: () => ({ sdk: engine.getCedarSDKVersion(), language: engine.getCedarLangVersion() }),

  schema({ schema }) {
    const a = engine.checkParseSchema(schema)
    return { parse: a.type === 'success' ? [] : texts(a.errors) }
  },

  validate({ schema, policy }) {
    const a = engine.validate({ schema, policies: { staticPolicies: { policy } } })
    if (a.type === 'failure') return { parse: texts(a.errors) }
    return {
      parse: [],
      errors: texts(a.validationErrors.map((e) => e.error)),
      warnings: texts(a.validationWarnings.map((e) => e.error)),
    }
  },

  // Many policies at once, for comparing how long it takes.
  validateAll({ schema, policies }) {
    const a = engine.validate({ schema, policies: { staticPolicies: policies } })
    if (a.type === 'failure') return { parse: texts(a.errors) }
    return { parse: [], errors: texts(a.validationErrors.map((e) => e.error)) }
  },

  entities({ schema, entities }) {
    const a = engine.checkParseEntities({ schema, entities })
    return { parse: a.type === 'success' ? [] : texts(a.errors) }
  },

  authorize({ schema, policies, entities, requests }) {
    for (const a of [engine.preparseSchema('s', schema), engine.preparsePolicySet('p', { staticPolicies: policies })]) {
      if (a.type === 'failure') return { parse: texts(a.errors) }
    }
    const decisions = requests.map((request) => {
      const a = engine.statefulIsAuthorized({
        ...request, entities, preparsedSchemaName: 's', validateRequest: true, preparsedPolicySetId: 'p',
      })
      if (a.type === 'failure') return { failure: texts(a.errors) }
      const { reason, errors } = a.response.diagnostics
      return {
        decision: a.response.decision,
        reasons: reason.sort(),
        errors: errors.map((e) => ({ policy: e.policyId, message: e.error.message })),
      }
    })
    return { parse: [], decisions }
  },
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const question = JSON.parse(line)
  let answer
  try {
    answer = answers[question.ask](question)
  } catch (err) {
    // A trap, as of a stack that is too small, leaves the engine unusable.
    delete require.cache[require.resolve(name)]
    engine = require(name)
    answer = { trap: String(err.message ?? err) }
  }
  process.stdout.write(JSON.stringify(answer) + '\n')
}
