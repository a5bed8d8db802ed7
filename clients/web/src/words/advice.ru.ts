// What is said of a weak password, in Russian, by the server's names.
//
// Invariant: the same keys as in English.
import type { Words } from "./en";

export const advice: Words["advice"] = {
  too_short: "Нужно хотя бы 8 знаков: несколько необычных слов — хороший пароль.",
  too_long: "Он длиннее, чем хранит сервер.",
  keyboard_row: "Ряд клавиш подбирают первым.",
  keyboard_pattern: "Короткие узоры на клавиатуре легко угадать.",
  repeated_character: "Один и тот же знак много раз легко угадать.",
  repeated_text: "Повторённое много раз едва ли лучше одного раза.",
  top_10: "Это один из десяти самых частых паролей.",
  top_100: "Это один из ста самых частых паролей.",
  common: "Им пользуются многие.",
  like_a_common_one: "Он похож на тот, которым пользуются многие.",
  sequence: "Последовательности вроде abc или 6543 легко угадать.",
  recent_year: "Недавние годы легко угадать.",
  one_word: "Одно слово легко угадать.",
  date: "Даты часто легко угадать.",
  name_alone: "Одно имя легко угадать.",
  common_name: "Распространённые имена легко угадать.",
  use_a_few_words: "Возьмите несколько слов, которые не стоят рядом.",
  symbols_are_not_needed: "Цифры, символы и заглавные буквы не обязательны.",
  add_a_word_or_two: "Добавьте слово-другое, лучше необычное.",
  capitals_help_little: "Заглавная буква в начале помогает мало.",
  all_capitals_help_little: "Одни заглавные угадать так же легко, как строчные.",
  reversed_words_help_little: "Слова наоборот тоже угадывают.",
  substitutions_help_little: "Знаки вместо букв, вроде @ вместо a, помогают мало.",
  longer_keyboard_pattern: "Узор на клавиатуре нужен длиннее и с поворотами.",
  avoid_repeats: "Не повторяйте слова и знаки.",
  avoid_sequences: "Обойдитесь без последовательностей.",
  avoid_recent_years: "Обойдитесь без недавних лет.",
  avoid_years_of_yours: "Обойдитесь без годов, связанных с вами.",
  avoid_dates_of_yours: "Обойдитесь без дат и годов, связанных с вами.",
};
