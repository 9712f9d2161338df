'use strict';
// The public names of types, as ../types/names.ts puts them beside each other.

const assert = require('node:assert');
const path = require('node:path');

const ts = require('typescript');

const { MISSING, SUPPORTED } = require('./tables');

let cached;

/** Of each pair its name, and what is public of the official type and of ours, with the signatures of methods. */
function typePairs() {
  cached ??= read();
  return cached.pairs;
}

/** The names of the properties of a type. */
function typeNames(name) {
  cached ??= read();
  const found = cached.lists.find((one) => one.name === name);
  return found.names;
}

function read() {
  const file = path.join(__dirname, '../types/names.ts');
  const { Node16 } = ts.ModuleKind;
  const target = ts.ScriptTarget.ES2022;
  const options = { strict: true, module: Node16, moduleResolution: ts.ModuleResolutionKind.Node16, target, types: ['node'] };
  const program = ts.createProgram([file], { ...options, skipLibCheck: true, noEmit: true });
  const errors = ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
  assert.deepStrictEqual(errors, []);
  const checker = program.getTypeChecker();
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)));
  const [pairs, lists] = ['pairs', 'lists'].map((name) => {
    const type = checker.getTypeOfSymbol(exported.find((symbol) => symbol.name === name));
    return checker.getPropertiesOfType(type).map((property) => ({ name: property.name, type: checker.getTypeOfSymbol(property) }));
  });
  return {
    pairs: pairs.map(({ name, type }) => {
      const [official, own] = checker.getTypeArguments(type).map((one) => describe(checker, one));
      return { name, official, own };
    }),
    lists: lists.map(({ name, type }) => ({ name, names: [...describe(checker, type).keys()] })),
  };
}

/** Public names with how few and how many arguments each way to call them takes. */
function describe(checker, type) {
  const properties = checker.getPropertiesOfType(type).filter(isPublic);
  return new Map(properties.map((property) => {
    const signatures = checker.getNonNullableType(checker.getTypeOfSymbol(property)).getCallSignatures();
    return [property.name, signatures.map((one) => ({ least: one.minArgumentCount, most: most(one) }))];
  }));
}

function most({ declaration, parameters }) {
  const last = declaration?.parameters?.at(-1);
  return last?.dotDotDotToken ? Infinity : parameters.length;
}

/** Names that begin with an underscore are private by convention. */
function isPublic({ name, declarations = [] }) {
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  return !/^[_#]/.test(name) && !declarations.some((one) => ts.getCombinedModifierFlags(one) & hidden);
}

/** What of a pair of types is in ours, in what can be called with as many arguments. */
function typeSection(title, { official, own }) {
  const names = [...official].map(([name, signatures]) => {
    if (!own.has(name)) return { name, found: MISSING };
    return { name, found: SUPPORTED, difference: differenceOf(signatures, own.get(name)) };
  });
  names.sort((one, other) => (one.name < other.name ? -1 : 1));
  return { title, names, added: [...own.keys()].filter((name) => !official.has(name)).sort() };
}

/** Each number of arguments that theirs takes has to be one that ours takes, in whichever overload. */
function differenceOf(theirs, ours) {
  const counts = theirs.flatMap(({ least, most: atMost }) => {
    return atMost === Infinity ? [least, Infinity] : Array.from({ length: atMost - least + 1 }, (_, more) => least + more);
  });
  const left = [...new Set(counts)].filter((count) => !ours.some(({ least, most: atMost }) => least <= count && count <= atMost));
  return left.length === 0 ? '' : `can't be called with ${left.join(' or ')} arguments`;
}

module.exports = { typeNames, typePairs, typeSection };
