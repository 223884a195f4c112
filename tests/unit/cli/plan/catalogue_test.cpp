// SPDX-License-Identifier: Apache-2.0
#include "cli/plan/catalogue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace ciuic::cli::plan::test {
namespace {

// Goal: every file that comes with Ciuic is good, and those that name each other agree. Method:
// read them all; names of cards in models and of hosts in cards have to be there.
TEST(Catalogue, EveryFileLoads) {
    const auto cards = names_in("cards");
    EXPECT_EQ(cards.size(), 9u);
    for (const std::string& name : cards) {
        CardFile card;
        EXPECT_EQ(find_card(name, card), "");
        HostFile host;
        EXPECT_EQ(find_host(card.usual_host, host), "") << name;
    }
    EXPECT_EQ(names_in("hosts").size(), 5u);
    for (const std::string& name : names_in("hosts")) {
        HostFile host;
        EXPECT_EQ(find_host(name, host), "");
        EXPECT_EQ(host.name, name);
    }
    EXPECT_EQ(names_in("models").size(), 8u);
    for (const std::string& name : names_in("models")) {
        ModelFile model;
        EXPECT_EQ(find_model(name, model), "");
        for (const auto& [card, share] : model.utilisation)
            EXPECT_TRUE(card == "other" || std::count(cards.begin(), cards.end(), card) == 1)
                << name << " has a share for " << card;
    }
    EXPECT_EQ(embedded_files().size(), 9u + 5 + 8);
}

// Goal: a wrong name says which there are. Method: one of each kind, and a file that is not there.
TEST(Catalogue, NamesWhatThereIs) {
    CardFile card;
    EXPECT_EQ(find_card("rtx-5090", card),
              "no card is called \"rtx-5090\"; there are a100-40g, a100-80g, h100-pcie, h100-sxm, "
              "rtx-3060, rtx-3090, rtx-4060, rtx-4060-ti-16g, rtx-4090; or give a file, like "
              "./mine.toml");
    HostFile host;
    EXPECT_EQ(
        find_host("laptop", host).rfind("no host is called \"laptop\"; there are desktop-", 0), 0u);
    ModelFile model;
    EXPECT_EQ(find_model("gpt-5", model),
              "no model is called \"gpt-5\"; there are deepseek-moe-16b, dit-8b, falcon-40b, "
              "llama-13b, llama-30b, llama-7b, sd-1.5, sdxl; or give a file, like ./mine.toml");
    EXPECT_EQ(find_model("./none.toml", model),
              "./none.toml: cannot be read (No such file or directory)");
}

// Goal: a user's file is read like ours. Method: a copy of one, then with a mistake.
TEST(Catalogue, ReadsAUsersFile) {
    const std::string path = std::filesystem::path(::testing::TempDir()) / "ciuic_card_test.toml";
    for (const EmbeddedFile& file : embedded_files())
        if (file.path == "data/cards/rtx-3060.toml") std::ofstream(path) << file.text;
    CardFile card;
    EXPECT_EQ(find_card(path, card), "");
    EXPECT_EQ(card.card.memory_bytes, 12ull << 30);
    std::ofstream(path, std::ios::app) << "[fans]\ncount = 3\n";
    EXPECT_EQ(find_card(path, card).rfind(path + ":54: fans: unknown; known: ", 0), 0u)
        << find_card(path, card);
    std::remove(path.c_str());
}

TEST(Catalogue, ListsEverything) {
    const std::string list = list_text();
    for (const char* folder : {"cards", "hosts", "models"})
        for (const std::string& name : names_in(folder))
            EXPECT_NE(list.find("\n  " + name + " "), std::string::npos) << name;
}

}  // namespace
}  // namespace ciuic::cli::plan::test
