// What a program is given: its settings in the environment, its one secret as a line on stdin, never in argv.
import { readFileSync } from 'node:fs'

export const { ISSUER, CLIENT_ID, METHOD, SCOPE, RESOURCE, AUDIENCE, ALGORITHM, PROFILE, BOUND, CALL, PROVEN } = process.env
export const secret = readFileSync(0, 'utf8').trim()
export const parameters = Object.fromEntries(
  Object.entries({ scope: SCOPE, resource: RESOURCE }).filter(([, value]) => value),
)

// One JSON document: the token as the library gives it, or the OAuth error code that it told.
export function say(name, answer) {
  const path = new URL(`node_modules/${name}/package.json`, import.meta.url)
  const { version } = JSON.parse(readFileSync(path, 'utf8'))
  process.stdout.write(JSON.stringify({ version, answer }))
}
