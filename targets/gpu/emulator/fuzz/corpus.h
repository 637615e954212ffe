// What mutations start from: small texts, one kernel each.
#pragma once
#include <filesystem>
#include <vector>

#include "mutate.h"

namespace fuzz {

/// Every .ptx file below a folder, cut into its kernels, each with the functions and variables that it reaches. Texts
/// that are no PTX, and kernels that stay large, are left out. The order is the same everywhere.
std::vector<Sample> load(const std::filesystem::path& folder);

}  // namespace fuzz
