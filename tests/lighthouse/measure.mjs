// Loads an address in a Chromium that runs already, as Lighthouse's phone: node measure.mjs PORT ADDRESS FILE.

import { writeFileSync } from 'node:fs';
import lighthouse from 'lighthouse';

const [port, address, file] = process.argv.slice(2);
const onlyCategories = ['performance', 'accessibility', 'best-practices', 'seo'];
const { lhr } = await lighthouse(address, { port: Number(port), onlyCategories, logLevel: 'silent' });
if (lhr.runtimeError) throw new Error(lhr.runtimeError.message);
writeFileSync(file, JSON.stringify(lhr));
