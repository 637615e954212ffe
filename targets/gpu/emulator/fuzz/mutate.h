// Turns a PTX text into a slightly different one: from single bytes to whole lines of another file.
#pragma once
#include <string>
#include <vector>

#include "random.h"

namespace fuzz {

/// A text of the corpus; mutations borrow words and lines from all of them.
struct Sample {
    std::string name;
    std::string text;
};

/// A mutant of one sample, of at most about twice its size.
std::string mutate(const std::vector<Sample>& corpus, Random& random);

}  // namespace fuzz
