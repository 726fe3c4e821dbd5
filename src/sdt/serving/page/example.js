/** The example conversation; written for this page. */

const SAID = [
  ["Nora", 0.4, 2.6, "Guess what came in the post this morning!"],
  ["Theo", 3.0, 5.1, "Oh no. Please, not another bill."],
  ["Nora", 5.4, 8.4, "I got the place at the music school! I really got it!"],
  ["Theo", 8.7, 11.6, "You are kidding! That is wonderful, congratulations!"],
  ["Iris", 12.3, 15.4, "Will you two stop shouting? I told you that I have to sleep!"],
  ["Nora", 16.0, 18.5, "I am leaving for Vienna in September, Iris."],
  ["Iris", 18.8, 21.2, "What? Vienna? Why did nobody tell me?"],
  ["Theo", 21.5, 23.6, "She only opened the letter five minutes ago."],
  ["Iris", 24.6, 28.2, "I am so sorry. It is just that I am going to miss you terribly."],
  ["Nora", 28.8, 31.9, "Don't cry. I am scared of living all alone there, too."],
  ["Theo", 32.3, 34.8, "Then we will come along and carry the cello."],
  ["Iris", 35.1, 37.5, "Great! I have always wanted to see Vienna!"],
];

/** In the format of POST /v1/predict. */
export const EXAMPLE = {
  id: "example",
  utterances: SAID.map(([speaker, start, end, text]) => ({ speaker, start, end, text })),
};
