// Loads an address in a Chromium that runs already, as Lighthouse's phone: node measure.mjs PORT ADDRESS FILE.

import { writeFileSync } from 'node:fs';
import lighthouse from 'lighthouse';

const TRIES = 3; // a load whose beginning was not recorded says nothing of the page

const [port, address, file] = process.argv.slice(2);
const onlyCategories = ['performance', 'accessibility', 'best-practices', 'seo'];
for (let attempt = 1; ; attempt += 1) {
  const { lhr } = await lighthouse(address, { port: Number(port), onlyCategories, logLevel: 'silent' });
  if (!lhr.runtimeError) {
    writeFileSync(file, JSON.stringify(lhr));
    break;
  }
  if (attempt === TRIES) throw new Error(lhr.runtimeError.message);
}
